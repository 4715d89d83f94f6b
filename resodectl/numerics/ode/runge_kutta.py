"""Explicit Runge-Kutta schemes in time, for flows and for reference solutions; RK4 unless another tableau is given.

Not to be confused with `schemes`, where a stage reads a layer of a network instead of a time.
"""

from collections.abc import Callable
from typing import Any

import torch

from resodectl.numerics.ode.tableaux import RK4, Tableau

Field = Callable[[torch.Tensor, Any], torch.Tensor]
"""(x, s) -> dx/ds, of the shape of x."""


def runge_kutta(
    field: Field, x: torch.Tensor, start: float, end: float, steps: int, tableau: Tableau = RK4
) -> torch.Tensor:
    """x(end) of x' = field(x, s) from x(start) = `x`, in equal steps; `end` may lie before `start`.

    The error is O(steps^-order) where the field is smooth on [start, end]; start anew where the field has a kink. x has
    any shape, such as that of a batch of states.

    >>> runge_kutta(lambda x, s: x, torch.ones(1, dtype=torch.float64), 0.0, 1.0, 100)
    tensor([2.7183], dtype=torch.float64)
    """
    step = (end - start) / steps
    for n in range(steps):
        x = runge_kutta_step(field, x, start + n * step, step, tableau)
    return x


def runge_kutta_step(
    field: Field, x: torch.Tensor, s: float, step: float | torch.Tensor, tableau: Tableau = RK4
) -> torch.Tensor:
    """x(s + step) from x(s) = `x`, with an error of O(step^(order + 1)), in the shape of x.

    A tensor `step` must broadcast with x: `(runs, 1)` gives each run a step of its size.
    """
    slopes: list[torch.Tensor] = []
    for time in tableau.times:
        slopes.append(field(tableau.argument(x, slopes, step), s + time * step))
    return tableau.advance(x, slopes, step)
