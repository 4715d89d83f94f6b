"""Convolutional networks made lazy by a large output scale: test accuracy and stability of activations."""
