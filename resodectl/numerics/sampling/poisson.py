"""Poisson's equation on the unit square by Fourier series: periodic, or without flux through the walls.

Spectral: exact for sources that the grid resolves. With walls, the even extension of the source to a square of side 2
is periodic, so that a cosine transform is a Fourier transform of four times the size.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Solution(NamedTuple):
    """A potential V with Laplacian f less its mean, and its gradient, at the points of f."""

    potential: Tensor  # (n, n), of mean 0
    gradient: Tensor  # (2, n, n): dV/dx and dV/dy, x along the first axis


def poisson_torus(source: Tensor, side: float = 1.0) -> Solution:
    """The periodic solution for a source `(n, n)` at the points (i, j) side / n.

    Where n is even, the derivative leaves out the highest frequency, whose sign no grid can tell.

    >>> x = torch.arange(8, dtype=torch.float64) / 8
    >>> found = poisson_torus((2 * math.pi * x).cos().unsqueeze(1).expand(8, 8))
    >>> round(found.potential[0, 0].item() * -4 * math.pi**2, 9), round(found.gradient[0, 2, 0].item() * 2 * math.pi, 9)
    (1.0, 1.0)
    """
    n = source.shape[0]
    waves = torch.fft.fftfreq(n, side / (2 * math.pi * n), dtype=source.dtype, device=source.device)
    odd = waves.clone()
    if n % 2 == 0:
        odd[n // 2] = 0.0
    squares = waves.square()[:, None] + waves.square()
    squares[0, 0] = math.inf  # the mean of the source is left out
    potential = -torch.fft.fft2(source) / squares
    derivatives = torch.stack([1j * odd[:, None] * potential, 1j * odd * potential])
    return Solution(torch.fft.ifft2(potential).real, torch.fft.ifft2(derivatives).real)


def poisson_walls(source: Tensor) -> Solution:
    """The solution with no flux through the walls, for a source `(n + 1, n + 1)` at the points (i, j) / n.

    The first and the last points are on the walls. The mean that is left out is that of the trapezoidal rule.

    >>> x = torch.arange(9, dtype=torch.float64) / 8
    >>> found = poisson_walls((math.pi * x).cos().unsqueeze(1).expand(9, 9))
    >>> round(found.potential[0, 0].item() * -(math.pi**2), 9), round(found.gradient[0, 4, 0].item() * math.pi, 9)
    (1.0, 1.0)
    """
    n = source.shape[0] - 1
    whole = torch.cat([source, source[1:-1].flip(0)])
    whole = torch.cat([whole, whole[:, 1:-1].flip(1)], 1)
    solved = poisson_torus(whole, 2.0)
    return Solution(solved.potential[: n + 1, : n + 1], solved.gradient[:, : n + 1, : n + 1])
