"""Which residual networks train: test accuracy over the Hurst index of the initial weights and the scaling exponent."""
