"""Residual networks against their limits as the depth grows: neural ODE, linear ODE, Ito SDE; forward and backward."""
