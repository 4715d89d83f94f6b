"""Tangent kernels: closed forms, empirical kernels and linearised models."""
