"""How close training stays to that of the linearised model, by the scale of the output: the three rates."""
