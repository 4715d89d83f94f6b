"""How much an untrained residual network changes its hidden state and its gradient, against depth and scaling."""
