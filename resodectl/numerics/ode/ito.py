"""Stochastic differential equations dX = b(X, s) ds + sigma(X, s) dW in the sense of Ito, by the Euler-Maruyama scheme.

Maruyama 1955. sigma is taken at the start of a step, so the scheme converges to the integral of Ito. Heun's scheme,
which averages sigma over both ends of a step, converges to the integral of Stratonovich instead.
"""

from collections.abc import Callable

import torch

Change = Callable[[torch.Tensor, int, float, torch.Tensor], torch.Tensor]
"""(x, n, step, dW) -> b(x, s_n) step + sigma(x, s_n) dW, of the shape of x, with s_n the start of the n-th step.

One function gives both terms, since for linear equations they are one product."""


def euler_maruyama(change: Change, x: torch.Tensor, increments: torch.Tensor, step: float) -> torch.Tensor:
    """X after one step of length `step` for each of the `increments` `(steps, ...)` of the Brownian paths.

    The root mean square error is O(step^(1/2)), and O(step) where sigma does not depend on X.

    >>> increments = torch.tensor([[0.5], [-0.25]])
    >>> euler_maruyama(lambda x, n, step, noise: 2 * x * step + x * noise, torch.ones(1), increments, 0.25)
    tensor([2.5000])
    """
    for n, increment in enumerate(increments):
        x = x + change(x, n, step, increment)
    return x
