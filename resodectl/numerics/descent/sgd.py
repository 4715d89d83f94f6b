"""Stochastic gradient descent with momentum, as torch.optim.SGD computes it, and how learning rates fall by epochs.

m <- momentum m + g + decay p, then p <- p - lr m: no dampening, no Nesterov, weight decay in the gradient.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch


class Constants(NamedTuple):
    """The constants of SGD."""

    momentum: float = 0.9
    weight_decay: float = 0.0


def step(
    values: list[torch.Tensor],
    slopes: list[torch.Tensor],
    momenta: list[torch.Tensor],
    lr: float,
    constants: Constants,
) -> None:
    """One step, in place; `slopes` are the gradients at `values`, and are only read.

    >>> value, momentum = torch.ones(1), torch.zeros(1)
    >>> for _ in range(2):
    ...     step([value], [torch.ones(1)], [momentum], lr=0.25, constants=Constants(momentum=0.5))
    >>> value.item(), momentum.item()
    (0.375, 1.5)
    """
    if constants.weight_decay:
        slopes = list(torch._foreach_add(slopes, values, alpha=constants.weight_decay))
    torch._foreach_mul_(momenta, constants.momentum)
    torch._foreach_add_(momenta, slopes)
    torch._foreach_add_(values, momenta, alpha=-lr)


def stepped_rate(lr: float, milestones: Sequence[int], factor: float, epoch: int) -> float:
    """The learning rate of `epoch` (from 0): `lr`, multiplied by `factor` at each milestone.

    >>> [stepped_rate(1.0, (1, 3), 0.5, epoch) for epoch in range(4)]
    [1.0, 0.5, 0.5, 0.25]
    """
    return lr * factor ** sum(epoch >= milestone for milestone in milestones)


def cosine_rate(lr: float, epochs: int, epoch: int) -> float:
    """The learning rate of `epoch` (from 0) annealed to zero after `epochs` (Loshchilov & Hutter 2017, no restart)."""
    return lr * (1 + math.cos(math.pi * epoch / epochs)) / 2
