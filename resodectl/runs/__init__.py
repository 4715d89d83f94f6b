"""From recipes to checked figures: plan the cells, compute the missing ones, then log, verdicts and figure."""
