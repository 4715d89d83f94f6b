"""A flow on the square with walls that carries a uniform density to a wavy one, in closed form.

Cao & Vanden-Eijnden 2022 (arXiv 2206.09908): rho1 = 1 - a cos(2 pi x) cos(2 pi y) on [0, 1]^2. The potential
V = a / (8 pi^2) cos(2 pi x) cos(2 pi y) has Laplacian rho1 - 1 and no flux through the walls.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

WAVE = 2 * math.pi


class CosineField(NamedTuple):
    """b = speed grad V, the same for all runs.

    >>> field = CosineField(2.0, 0.9)
    >>> field(torch.tensor([[0.0, 0.0], [0.5, 0.5]])).norm().item() < 1e-6  # it rests at the maxima of V
    True
    >>> field.divergence(torch.tensor([[0.0, 0.0]])).item()
    -1.7999999523162842
    """

    speed: float
    amplitude: float  # a, below 1

    def __call__(self, x: Tensor) -> Tensor:
        scale = -self.speed * self.amplitude / (4 * math.pi)
        sine, cosine = (WAVE * x).sin(), (WAVE * x).cos()
        return scale * sine * cosine.flip(-1)

    def divergence(self, x: Tensor) -> Tensor:
        return -self.speed * self.amplitude * (WAVE * x).cos().prod(-1)

    def log_density(self, x: Tensor) -> Tensor:
        """log rho1."""
        return torch.log1p(-self.amplitude * (WAVE * x).cos().prod(-1))


def log_uniform(x: Tensor) -> Tensor:
    """log rho0 = 0 of places `(..., 2)`; a flow without flux through the walls stays in the square."""
    return torch.zeros_like(x[..., 0])
