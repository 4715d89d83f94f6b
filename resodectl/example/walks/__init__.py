"""Random walks whose steps shrink with their number."""
