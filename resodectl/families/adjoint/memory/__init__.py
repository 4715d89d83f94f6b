"""Memory of backpropagation and of the memory-free adjoint against depth, counted in bytes."""
