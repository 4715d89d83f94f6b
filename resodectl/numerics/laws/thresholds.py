"""The largest curvature at which full-batch descent is stable (Cohen et al. 2021, arXiv 2103.00065).

On a quadratic of curvature h, descent of learning rate lr diverges if and only if h is above its threshold. Momentum is
as in torch.optim.SGD: m <- beta m + g, and the step is -lr m (Polyak) or -lr (g + beta m) (Nesterov).
"""

from typing import Protocol, Self, TypeVar


class Divisor(Protocol):
    """A number, or an array or tensor of them, whose kind and shape the threshold then has."""

    def __rmul__(self, factor: float, /) -> Self: ...

    def __rtruediv__(self, dividend: float, /) -> Self: ...


Lr = TypeVar("Lr", bound=Divisor)


def gradient_threshold(lr: Lr) -> Lr:
    """2 / lr, of gradient descent.

    >>> gradient_threshold(0.1)
    20.0
    """
    return 2 / lr


def polyak_threshold(lr: Lr, beta: float) -> Lr:
    """(2 + 2 beta) / lr, with Polyak's (heavy-ball) momentum.

    >>> polyak_threshold(0.1, 0.5)
    30.0
    """
    return (2 + 2 * beta) / lr


def nesterov_threshold(lr: Lr, beta: float) -> Lr:
    """(2 + 2 beta) / ((1 + 2 beta) lr), with Nesterov's momentum.

    >>> nesterov_threshold(0.1, 0.5)
    15.0
    """
    return (2 + 2 * beta) / ((1 + 2 * beta) * lr)
