"""Test loss by width, with outputs divided by the root of the width, which is lazy, or by the width, which is not."""
