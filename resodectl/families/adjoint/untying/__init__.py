"""Networks pretrained with tied weights, untied, and fine-tuned by the memory-free adjoint."""
