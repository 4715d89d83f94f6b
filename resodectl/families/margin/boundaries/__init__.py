"""Decision boundaries of wide two-layer networks in the plane, beside the exact optima of both norms."""
