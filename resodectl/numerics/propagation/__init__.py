"""Norms of hidden states and gradients through untrained residual networks."""
