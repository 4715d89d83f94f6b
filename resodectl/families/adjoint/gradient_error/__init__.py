"""The error that the memory-free adjoint makes in each tensor's gradient, against depth."""
