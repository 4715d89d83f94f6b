"""Optimisers on one leaky unit: their conditioners, and the margins that they reach in a given time."""
