"""Linearised networks, fixed features and standard networks on the same images: a table of accuracies."""
