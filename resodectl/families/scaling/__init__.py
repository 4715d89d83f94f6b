"""Scaling with depth: weights, hidden states and gradients of deep residual networks, at initialisation and trained."""
