"""Where untrained residual networks explode or stay the identity, over Hurst index and scaling exponent."""
