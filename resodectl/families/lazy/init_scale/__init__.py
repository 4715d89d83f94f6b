"""Test loss of two-layer networks against the scale of their first weights, and its lazy limit."""
