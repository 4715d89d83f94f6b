"""Memory-free adjoints of residual networks: how well activations and gradients are recomputed backward."""
