"""A family for tests: random walks, whose law is known."""
