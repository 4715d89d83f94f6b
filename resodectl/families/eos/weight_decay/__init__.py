"""Full-batch descent with weight decay of networks that are invariant to the scale of their weights."""
