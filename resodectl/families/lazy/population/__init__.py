"""Population loss of two-layer networks trained by SGD on fresh samples, by the scale of their first weights."""
