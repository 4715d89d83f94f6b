"""Training of flows for importance sampling: variance and mean of the weights against the step."""
