"""The classical fourth-order Runge-Kutta scheme (RK4), for reference solutions and for flows.

Not to be confused with `schemes`: those are what networks are made of, this is what they are held against.
"""

from collections.abc import Callable
from typing import Any

import torch

Field = Callable[[torch.Tensor, Any], torch.Tensor]


def runge_kutta(field: Field, x: torch.Tensor, start: float, end: float, steps: int) -> torch.Tensor:
    """x(end) of x' = field(x, s) from x(start) = `x`, in equal steps; `end` may lie before `start`.

    The error is O(steps^-4) where the field is smooth on [start, end]; restart it where the field has a kink.
    Any shape, a batch as well as one state. Kutta 1901, the scheme with weights 1/6, 1/3, 1/3, 1/6.
    """
    step = (end - start) / steps
    for n in range(steps):
        x = runge_kutta_step(field, x, start + n * step, step)
    return x


def runge_kutta_step(field: Field, x: torch.Tensor, s: float, step: float | torch.Tensor) -> torch.Tensor:
    """x(s + step) from x(s) = `x`, an error of O(step^5); a tensor `step` broadcasts with `x`."""
    first = field(x, s)
    second = field(x + step / 2 * first, s + step / 2)
    third = field(x + step / 2 * second, s + step / 2)
    last = field(x + step * third, s + step)
    return x + step / 6 * (first + 2 * second + 2 * third + last)
