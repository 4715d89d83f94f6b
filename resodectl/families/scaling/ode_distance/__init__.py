"""How far a residual network is from the neural ODE that interpolates its layers, and the bound on that."""
