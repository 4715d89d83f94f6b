"""Claims: estimates with 95 % intervals, the bands they must fall in, verdicts and controls."""
