"""Fitting networks to images: how recipes ask for it, the images as networks read them, one epoch at a time."""
