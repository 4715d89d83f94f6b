"""Drawing: one style, axes shared by the figures, deterministic files that carry their provenance."""
