"""Data sets: embedded, generated, or read from a local folder in their public formats."""
