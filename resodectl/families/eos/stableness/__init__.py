"""Normalised descent and descent on sqrt(L) of networks: loss, sharpness and stableness along training."""
