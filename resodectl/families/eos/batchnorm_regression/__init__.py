"""Overparameterised linear regression with batch normalisation, trained by descent with weight decay."""
