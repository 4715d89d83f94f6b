"""Integration over depth and time: schemes as tableaux, their adjoints, and reference solutions."""
