"""Networks that run side by side, one architecture a file, with the layers and activations that they share."""
