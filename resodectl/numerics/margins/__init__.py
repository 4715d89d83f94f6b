"""Margins of homogeneous networks, and their exact optima."""
