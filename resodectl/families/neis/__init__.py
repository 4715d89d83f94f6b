"""Non-equilibrium importance sampling, with learned flows."""
