"""The classical fourth-order Runge-Kutta scheme, for reference solutions of ordinary differential equations.

Not to be confused with `schemes`: those are what networks are made of, this is what they are held against.
"""

from collections.abc import Callable

import torch

Field = Callable[[torch.Tensor, float], torch.Tensor]


def runge_kutta(field: Field, x: torch.Tensor, start: float, end: float, steps: int) -> torch.Tensor:
    """x(end) of x' = field(x, s) from x(start) = `x`, in equal steps; `end` may lie before `start`.

    The error is O(steps^-4) where the field is smooth on [start, end]; restart it where the field has a kink.
    Any shape, a batch as well as one state. Kutta 1901, the scheme with weights 1/6, 1/3, 1/3, 1/6.
    """
    step = (end - start) / steps
    for n in range(steps):
        s = start + n * step
        first = field(x, s)
        second = field(x + step / 2 * first, s + step / 2)
        third = field(x + step / 2 * second, s + step / 2)
        fourth = field(x + step * third, s + step)
        x = x + step / 6 * (first + 2 * (second + third) + fourth)
    return x
