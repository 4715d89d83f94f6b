"""Optimisers on one leaky unit long after the data is fitted, beside their own exact max-margin points."""
