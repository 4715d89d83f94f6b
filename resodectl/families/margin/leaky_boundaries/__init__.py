"""Decision boundaries of two-layer leaky-ReLU networks beside the best line and the certified best network."""
