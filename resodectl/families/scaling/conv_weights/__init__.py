"""Norms and increments of the trained convolutions of residual networks, against depth."""
