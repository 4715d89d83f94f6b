"""Step rules of descent: full batch, stochastic, Adam."""
