"""Zero-variance flows as generators: the map that carries samples of the base to samples of the target."""
