"""Kernel regression in time, in closed form: the lazy limit of gradient flow and of gradient descent.

A model that is linear in its weights, with tangent kernel K on n training inputs, square loss |f - y|^2 / 2n and start
f_0, follows df/dt = -K (f - y) / n. One eigendecomposition K = U diag(l) U^T gives it at every time: with the share

    flow:    q(l, t) = 1 - exp(-l t / n),          descent:  q(l, k) = 1 - (1 - lr l / n)^k

of the error that mode l has lost, f(x) = f_0(x) + K(x, X) c, c = U diag(q / l) U^T (y - f_0(X)). Chizat, Oyallon &
Bach 2019 (arXiv 1812.07956): with a large output scale alpha, alpha h(w_t) tends to this with K = Dh Dh^T.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch


class Modes(NamedTuple):
    """What one eigendecomposition keeps; leading axes `...` are runs.

    Attributes:
        values: eigenvalues of the kernel, rising, `(..., n)`; rounding below zero is taken off.
        vectors: their eigenvectors as columns, `(..., n, n)`.
        errors: U^T (y - f_0), the distance from the targets by mode, `(..., n)`.
    """

    values: torch.Tensor
    vectors: torch.Tensor
    errors: torch.Tensor


def modes(kernel: torch.Tensor, targets: torch.Tensor, start: torch.Tensor | None = None) -> Modes:
    """The modes of a kernel `(..., n, n)` for targets `(..., n)` and the outputs `(..., n)` at the start, else zero."""
    values, vectors = torch.linalg.eigh(kernel)
    wanted = targets if start is None else targets - start
    return Modes(values.clamp(min=0), vectors, (vectors.mT @ wanted.unsqueeze(-1)).squeeze(-1))


def after_flow(of: Modes, times: Sequence[float]) -> torch.Tensor:
    """The coefficients c, `(..., n, times)`, at each time of the gradient flow.

    >>> unit = modes(torch.eye(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64))
    >>> after_flow(unit, [0.0, 1.0]).numpy().round(4)  # 1 - exp(-t)
    array([[0.    , 0.6321]])
    """
    times_of = torch.tensor(times, dtype=of.values.dtype, device=of.values.device)
    exponents = -of.values.unsqueeze(-1) * times_of / of.values.shape[-1]
    return _coefficients(of, -exponents.expm1(), times_of)


def after_steps(of: Modes, steps: Sequence[int], lr: float | torch.Tensor) -> torch.Tensor:
    """The coefficients c, `(..., n, steps)`, after each number of steps of gradient descent.

    Args:
        lr: the learning rate, a number or one for each run `(...)`. A mode with lr l / n > 2 grows without bound.

    >>> unit = modes(torch.eye(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64))
    >>> after_steps(unit, [1, 2], lr=0.5)  # 1 - (1 - 1/2)^k
    tensor([[0.5000, 0.7500]], dtype=torch.float64)
    """
    size = of.values.shape[-1]
    counts = torch.tensor(steps, dtype=of.values.dtype, device=of.values.device)
    rates = torch.as_tensor(lr, dtype=of.values.dtype, device=of.values.device)[..., None, None]
    moved = rates * of.values.unsqueeze(-1) / size
    shrinking = -(counts * torch.log1p(-moved.clamp(max=0.5))).expm1()  # without loss of digits for slow modes
    share = torch.where(moved < 0.5, shrinking, 1 - (1 - moved) ** counts)
    return _coefficients(of, share, rates * counts)


def _coefficients(of: Modes, share: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
    """U diag(q / l) U^T errors; q / l is time / n where l is zero."""
    values, size = of.values.unsqueeze(-1), of.values.shape[-1]
    slow = values <= torch.finfo(values.dtype).tiny
    ratio = torch.where(slow, time / size, share / torch.where(slow, 1.0, values))
    return of.vectors @ (ratio * of.errors.unsqueeze(-1))
