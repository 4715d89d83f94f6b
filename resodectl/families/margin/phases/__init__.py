"""The phases of training from small weights: alignment, growth of two neurons, and the margin of a line."""
