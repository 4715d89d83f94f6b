"""Flows on the unit square that carry the uniform density to another one, by Poisson's equation on a grid.

Cao & Vanden-Eijnden 2022 (arXiv 2206.09908): b = grad V with Laplacian V = rho1 - 1, on the torus or with walls that no
flux goes through. The divergence rho1 - 1 is taken exactly; b is interpolated linearly between the points of the grid.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from resodectl.families.neis.generator.spec import PlaneName
from resodectl.numerics.sampling.poisson import poisson_torus, poisson_walls

WAVE = 2 * math.pi
CENTRES = ((0.3, 0.3), (0.7, 0.3), (0.3, 0.7))
STEEPNESS = 2.0  # of each bump


class GridField(NamedTuple):
    """b between the points of a grid, with the density that it carries the uniform one to."""

    table: Tensor  # (2, n + 1, n + 1): b at the points (j, i) / n, the first coordinate along the last axis
    density: Callable[[Tensor], Tensor]  # rho1 of places (..., 2)
    periodic: bool

    def __call__(self, x: Tensor) -> Tensor:
        """b at places `(..., 2)`."""
        inside = x - x.floor() if self.periodic else x
        places = (2 * inside - 1).reshape(1, 1, -1, 2)
        found = grid_sample(self.table.unsqueeze(0), places, align_corners=True, padding_mode="border")
        return found[0, :, 0].mT.reshape(x.shape)

    def divergence(self, x: Tensor) -> Tensor:
        return self.density(x) - 1

    def log_density(self, x: Tensor) -> Tensor:
        """log rho1."""
        return self.density(x).log()


def plane_field(name: PlaneName, amplitude: float, points: int, like: Tensor) -> GridField:
    """The flow of an example, by Poisson's equation on a grid of `points` intervals in each direction.

    square: rho1 = 1 - a cos(2 pi x) cos(2 pi y), with walls. torus, walls: three bumps exp(2 cos(2 pi (x - c_1)) +
    2 cos(2 pi (y - c_2))), on the torus and with walls.

    Args:
        like: a tensor on the device and of the type that the field shall have.
    """

    def waves(x: Tensor) -> Tensor:
        return 1 - amplitude * (WAVE * x).cos().prod(-1)

    density = waves if name == "square" else three_bumps
    axis = torch.arange(points + 1, dtype=like.dtype, device=like.device) / points
    source = density(torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1)) - 1
    if name == "torus":
        inner = poisson_torus(source[:-1, :-1]).gradient
        inner = torch.cat([inner, inner[:, :1]], 1)
        table = torch.cat([inner, inner[..., :1]], 2)
    else:
        table = poisson_walls(source).gradient
    return GridField(table.mT.contiguous(), density, name == "torus")


def three_bumps(x: Tensor) -> Tensor:
    """Three equal bumps on the torus, of integral 1; places `(..., 2)`."""
    bumps = [(STEEPNESS * ((WAVE * (x[..., 0] - a)).cos() + (WAVE * (x[..., 1] - b)).cos())).exp() for a, b in CENTRES]
    one = torch.special.i0(torch.tensor(STEEPNESS, dtype=torch.float64)).item() ** 2
    return torch.stack(bumps).sum(0) / (len(CENTRES) * one)
