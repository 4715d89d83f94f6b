"""How far a random walk of many small steps gets."""
