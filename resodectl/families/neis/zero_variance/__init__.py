"""Flows along which the weights of importance sampling do not vary."""
