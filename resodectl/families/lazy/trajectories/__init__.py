"""Paths of the hidden units of two-layer networks in the plane, from small and from large first weights."""
