"""Weights of residual networks along the layers: how they are drawn, and statistics of their paths."""
