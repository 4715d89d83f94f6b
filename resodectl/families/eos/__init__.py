"""Edge of stability: sharpness along training, its limiting flows, and its reduction by normalisation."""
