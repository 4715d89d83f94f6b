"""Normalised descent of a network beside the explicit flow of its log-sharpness along the minimisers."""
