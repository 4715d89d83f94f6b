"""Lazy training: when descent only follows a linearised model."""
