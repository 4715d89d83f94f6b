"""Eigenvalues of the tangent kernel of an untrained convolutional network, on images and on random pixels."""
