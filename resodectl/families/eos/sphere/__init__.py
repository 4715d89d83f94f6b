"""A scale-invariant loss on three weights, whose minimisers are a great circle of varying sharpness."""
