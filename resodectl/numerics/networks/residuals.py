"""Residual functions f(x, theta) of networks that run side by side: one leading axis of seeds, no loop over it."""

import torch

from resodectl.numerics.networks.activations import Map
from resodectl.numerics.ode.schemes import Layer, Residual


def mlp(activation: Map = torch.tanh) -> Residual:
    """f(x) = V act(W x + b) for every seed: x is `(seeds, batch, dim)`, as is the value.

    theta = (W, b, V) of shapes `(seeds, dim, hidden)`, `(seeds, 1, hidden)`, `(seeds, hidden, dim)`: the matrices act
    on rows from the right, so they are the transposes of the formula's.
    """

    def residual(x: torch.Tensor, theta: Layer) -> torch.Tensor:
        first, bias, second = theta
        return torch.bmm(activation(torch.baddbmm(bias, x, first)), second)

    return residual
