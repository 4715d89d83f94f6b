"""Heun networks: what a second-order scheme changes in reconstruction, gradients and training."""
