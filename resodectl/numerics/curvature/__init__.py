"""Curvature of losses: Hessian operators, their largest eigenvalues, manifolds of minimisers, flows of sharpness."""
