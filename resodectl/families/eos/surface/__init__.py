"""Two descents with steps too long for their valley, seen on the surface of its square root."""
