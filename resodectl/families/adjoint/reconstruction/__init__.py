"""How well a residual network's input and gradients are recomputed from its output, against depth."""
