"""Paths of fractional Brownian motion, whose increments are the weights of a network along its layers."""
