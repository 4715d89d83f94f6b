"""Fields of flows, samples of their base, and a rotation of which every weight is known."""

import math

import numpy as np
import torch
from scipy import special

from resodectl.numerics.sampling.velocities import Funnel, Generic, Gradient, Linear, Trainable

MU, V = 3.0, 0.2


def fields() -> list[Trainable]:
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.from_numpy(rng.standard_normal((2, *shape)))

    return [
        Generic(draw(5, 3), draw(5), draw(3, 5), draw(3)),
        Gradient(draw(5, 3), draw(5), draw(5)),
        Linear(draw(3, 3), draw(3)),
        Funnel(draw(), draw()),
    ]


def points(runs: int, samples: int, dim: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((runs, samples, dim)))


def shifted(x: torch.Tensor) -> torch.Tensor:
    """-U1 of a Gaussian bump of variance V at (MU, 0, ...)."""
    centre = torch.zeros(x.shape[-1], dtype=x.dtype)
    centre[0] = MU
    return -(x - centre).square().sum(-1) / (2 * V)


def rotation() -> Linear:
    turn = 2 * math.pi * torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    return Linear(turn.unsqueeze(0), torch.zeros(1, 2, dtype=torch.float64))


def rotated(x: torch.Tensor) -> np.ndarray:
    """log A of the rotation: a mean over the circle of a sample, whatever the window."""
    r = x.norm(dim=-1).numpy()
    return np.log(special.ive(0, MU * r / V)) + MU * r / V - (r**2 + MU**2) / (2 * V) + r**2 / 2
