"""Margins of networks without biases by the optimiser that trains them, and by where it adds epsilon."""
