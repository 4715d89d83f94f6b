"""Margins of wide networks by their width, beside the largest margins that no width can pass."""
