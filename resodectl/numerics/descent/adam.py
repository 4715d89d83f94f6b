"""Adam for networks that run side by side, with a learning rate and a stop for each cell of the batch.

Kingma & Ba 2015 (arXiv 1412.6980), as torch.optim.Adam computes it: m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2,
p <- p - lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + epsilon), where t counts the steps of the cell.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch


class Constants(NamedTuple):
    """The constants of Adam."""

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8


DEFAULT = Constants()


class Moments(NamedTuple):
    """What Adam remembers: the moments of every tensor and the steps that each cell has taken. All change in place."""

    first: list[torch.Tensor]
    second: list[torch.Tensor]
    steps: torch.Tensor

    def kept(self) -> dict[str, Any]:
        """The state as a checkpoint keeps it."""
        return self._asdict()


def at_rest(values: Sequence[torch.Tensor], cells: Sequence[int]) -> Moments:
    """The state before the first step; `cells` are the lengths of the axes that the cells stand on."""
    steps = torch.zeros(tuple(cells), dtype=values[0].dtype, device=values[0].device)
    first, second = ([torch.zeros_like(value) for value in values] for _ in range(2))
    return Moments(first, second, steps)


def restored(kept: dict[str, Any], device: torch.device | str) -> Moments:
    """A state as `kept` gave it, back on the device."""
    first, second = ([tensor.to(device) for tensor in kept[name]] for name in ("first", "second"))
    return Moments(first, second, kept["steps"].to(device))


@torch.no_grad()
def step(
    values: Sequence[torch.Tensor],
    slopes: Sequence[torch.Tensor],
    moments: Moments,
    lr: torch.Tensor | float,
    active: torch.Tensor | None = None,
    leading: Sequence[int] | None = None,
    constants: Constants = DEFAULT,
) -> None:
    """One step of every active cell, in place.

    Args:
        values, slopes: tensors `(*before, *cells, *shape)` and their gradients, which are only read.
        lr: one learning rate for all, or one for each cell, `(*cells)`.
        active: which cells move, `(*cells)`, bool; values, moments and counts of all others stay as they are, whatever
            their gradients are, NaN included. None: all move.
        leading: how many axes of each tensor stand before those of the cells, such as one of layers; 0 if not given.

    >>> weights = [torch.tensor([1.0, 2.0])]
    >>> step(weights, [torch.tensor([5.0, -0.1])], at_rest(weights, (2,)), torch.tensor([0.1, 0.2]))
    >>> weights
    [tensor([0.9000, 2.2000])]
    """
    beta1, beta2, epsilon = constants
    moving = torch.ones_like(moments.steps) if active is None else active.to(moments.steps.dtype)
    moments.steps.add_(moving)
    count = moments.steps.clamp(min=1).double()
    second_bias = torch.sqrt(1 - beta2**count)
    rate = moving * (lr * second_bias / (1 - beta1**count)).to(moving.dtype)
    floor = (epsilon * second_bias).to(moving.dtype)
    keep1, keep2 = 1 - (1 - beta1) * moving, 1 - (1 - beta2) * moving
    for index, (value, slope, first, second) in enumerate(
        zip(values, slopes, moments.first, moments.second, strict=True)
    ):
        trailing = value.dim() - moving.dim() - (leading[index] if leading else 0)
        shape = (*moving.shape, *[1] * trailing)  # axes before those of the cells broadcast by themselves
        if active is None:
            first.mul_(beta1).add_(slope, alpha=1 - beta1)
            second.mul_(beta2).addcmul_(slope, slope, value=1 - beta2)
        else:
            slope = torch.where(active.view(shape), slope, 0.0)
            first.mul_(keep1.view(shape)).add_(slope, alpha=1 - beta1)
            second.mul_(keep2.view(shape)).addcmul_(slope, slope, value=1 - beta2)
        change = second.sqrt().add_(floor.view(shape)).reciprocal_().mul_(first).mul_(rate.view(shape))
        value.sub_(change)
