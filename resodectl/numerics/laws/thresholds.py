"""The largest curvature at which full-batch descent is stable (Cohen et al. 2021, arXiv 2103.00065).

On a quadratic of curvature h, descent of learning rate lr diverges if and only if h is above its threshold. Momentum is
as in torch.optim.SGD: m <- beta m + g, and the step is -lr m (Polyak) or -lr (g + beta m) (Nesterov).
"""

from typing import Protocol, Self, TypeVar


class Quantity(Protocol):
    """A number, or an array, tensor or column of numbers; thresholds are of the same kind and shape."""

    def __mul__(self, other: Self, /) -> Self: ...

    def __radd__(self, other: float, /) -> Self: ...

    def __rmul__(self, other: float, /) -> Self: ...

    def __truediv__(self, other: Self, /) -> Self: ...

    def __rtruediv__(self, other: float, /) -> Self: ...


Numbers = TypeVar("Numbers", bound=Quantity)


def gradient_threshold(lr: Numbers) -> Numbers:
    """2 / lr, of gradient descent.

    >>> gradient_threshold(0.1)
    20.0
    """
    return 2 / lr


def polyak_threshold(lr: Numbers, beta: Numbers | float) -> Numbers:
    """(2 + 2 beta) / lr, with Polyak's (heavy-ball) momentum.

    >>> polyak_threshold(0.1, 0.5)
    30.0
    """
    return (2 + 2 * beta) / lr


def nesterov_threshold(lr: Numbers, beta: Numbers | float) -> Numbers:
    """(2 + 2 beta) / ((1 + 2 beta) lr), with Nesterov's momentum.

    >>> nesterov_threshold(0.1, 0.5)
    15.0
    """
    return (2 + 2 * beta) / ((1 + 2 * beta) * lr)
