"""Sweeps: a recipe over a grid of one or two of its parameters, and where each of its claims holds."""
