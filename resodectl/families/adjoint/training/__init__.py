"""Training residual and Heun networks by backpropagation and by the memory-free adjoint."""
