"""Test error on clusters in a hidden plane: both layers of a wide network against its output layer alone."""
