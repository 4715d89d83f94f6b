"""How often small networks end at a poor margin: against the scale of the start, the width, and as signs predict."""
