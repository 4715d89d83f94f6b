"""Normalised descent and descent on sqrt(L) beside the flows that they follow along curves of minimisers."""
