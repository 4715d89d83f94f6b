"""Mathematics shared by the experiments: no input or output, no recipe, no global state."""
