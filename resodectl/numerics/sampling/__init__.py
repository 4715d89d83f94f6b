"""Importance sampling: targets, flows, estimators and annealing."""
