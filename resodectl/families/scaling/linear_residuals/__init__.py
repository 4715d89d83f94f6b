"""Gradient descent on linear residual networks: smooth weights stay smooth and converge as the depth grows."""
