"""Residual networks with trained deltas: how their trained weights scale with depth, and how rough they are."""
