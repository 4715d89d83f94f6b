"""How regular in depth weights are after training, by their regularity at initialisation."""
