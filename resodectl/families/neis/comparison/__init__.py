"""Learned flows against annealing at an equal, counted budget, and which share of the mean a run has not seen."""
