"""Normalised descent on a quadratic loss, in the coordinates in which all step sizes are one."""
