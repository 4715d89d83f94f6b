"""Exact formulas in NumPy, without torch, so that analyses may draw what theory says."""
