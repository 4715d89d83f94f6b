"""Margins: where optimisers go once the data is fitted."""
