"""Two implicit biases in one run: first towards the largest tangent margin, later towards the largest F1 margin."""
