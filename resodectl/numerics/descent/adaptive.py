"""Adaptive descent, w <- w - lr h m, with epsilon inside or outside the root of the conditioner h.

m is a running sum of gradients, G one of their squares; h = (epsilon + G)^(-1/2) as the theory of Wang, Meng, Chen &
Liu 2021 (arXiv 2012.06244) needs it, or 1 / (epsilon + G^(1/2)) as torch.optim computes it. A rule is data: what the
two sums keep, what they take, and how their bias is corrected; so runs of different rules step side by side.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch

Placement = Literal["inside", "outside"]
Name = Literal["gd", "momentum", "adagrad", "scalar-adagrad", "rmsprop", "adam", "adam-momentum"]
PerRun = float | torch.Tensor
"""One number for all runs, or a tensor that broadcasts to their weights."""


class Average(NamedTuple):
    """s <- keep s + take x, read as s / (1 - base^t) after t steps."""

    keep: PerRun
    take: PerRun
    base: PerRun = 0.0


class Rule(NamedTuple):
    """How an optimiser sums gradients and squares; `pooled` is 1 where the coordinates share h, else 0."""

    first: Average
    second: Average
    epsilon: PerRun
    pooled: PerRun = 0.0


LAST = Average(0.0, 1.0)  # the last gradient alone
NOTHING = Average(0.0, 0.0)


def rule(name: Name, epsilon: float, beta: float = 0.9, momentum: float = 0.9, *, official: bool = False) -> Rule:
    """An optimiser by its name; `adam` is Adam without momentum.

    AdaGrad sums all squares, RMSProp and Adam average them with the decay beta, Adam with the bias taken out.
    `scalar-adagrad` is AdaGrad with one h for all coordinates, that of the mean of their sums (AdaGrad-Norm, Ward, Wu &
    Bottou 2019, arXiv 1806.01811, but for the mean).

    Args:
        official: the decay is 1 - beta, while Adam takes out the bias of a decay beta, as the paper's published script
            has it for RMSProp and Adam; not for `adam-momentum`.
    """
    decay = 1 - beta if official else beta
    mean = Average(decay, 1 - decay)
    rules = {
        "gd": Rule(LAST, NOTHING, 1.0),
        "momentum": Rule(Average(momentum, 1.0), NOTHING, 1.0),
        "adagrad": Rule(LAST, Average(1.0, 1.0), epsilon),
        "scalar-adagrad": Rule(LAST, Average(1.0, 1.0), epsilon, pooled=1.0),
        "rmsprop": Rule(LAST, mean, epsilon),
        "adam": Rule(LAST, mean._replace(base=beta), epsilon),
        "adam-momentum": Rule(
            Average(momentum, 1 - momentum, momentum), Average(beta, 1 - beta, beta), epsilon
        ),
    }  # fmt: skip
    return rules[name]


def side_by_side(rules: Sequence[Rule], like: torch.Tensor) -> Rule:
    """The rules of runs that stand on the last axis of `like`, as one rule.

    >>> weights = torch.zeros(3, 2)
    >>> both = side_by_side([rule("gd", 1e-5), rule("adagrad", 0.0)], weights)
    >>> change, _ = step(both, torch.tensor([[1.0, 1.0], [-2.0, -2.0], [4.0, 4.0]]), at_rest(weights))
    >>> change
    tensor([[ 1.,  1.],
            [-2., -1.],
            [ 4.,  1.]])
    """

    def stacked(values: Sequence[PerRun]) -> PerRun:
        alike = all(value == values[0] for value in values)
        return values[0] if alike else torch.tensor(values, dtype=like.dtype, device=like.device)

    def averaged(averages: Sequence[Average]) -> Average:
        if all(own == LAST for own in averages):
            return LAST
        return Average(*(stacked(values) for values in zip(*averages, strict=True)))

    first, second = averaged([own.first for own in rules]), averaged([own.second for own in rules])
    return Rule(first, second, stacked([own.epsilon for own in rules]), stacked([own.pooled for own in rules]))


class Moments(NamedTuple):
    """What an optimiser remembers: the sums of gradients and of squares, as the weights, and the steps done."""

    first: torch.Tensor
    second: torch.Tensor
    steps: int

    def kept(self) -> dict[str, Any]:
        """The state as a checkpoint keeps it."""
        return self._asdict()


def at_rest(weights: torch.Tensor) -> Moments:
    """The state before the first step."""
    return Moments(torch.zeros_like(weights), torch.zeros_like(weights), 0)


def restored(kept: dict[str, Any], device: torch.device | str) -> Moments:
    """A state as `kept` gave it, back on the device."""
    return Moments(kept["first"].to(device), kept["second"].to(device), kept["steps"])


def conditioner(of: Rule, moments: Moments, placement: Placement = "inside", axis: int = -2) -> torch.Tensor:
    """h, shaped as the weights, whose coordinates stand on `axis`; infinite where epsilon and the sum are both 0."""
    squares = _corrected(moments.second, of.second, moments.steps)
    if not (isinstance(of.pooled, float) and not of.pooled):
        pooled = torch.as_tensor(of.pooled, device=squares.device) > 0
        squares = torch.where(pooled, squares.mean(axis, keepdim=True), squares)
    return (of.epsilon + squares).rsqrt() if placement == "inside" else (of.epsilon + squares.sqrt()).reciprocal()


def seen(of: Rule, gradient: torch.Tensor, moments: Moments) -> Moments:
    """The state after a gradient."""
    first = gradient if of.first is LAST else of.first.keep * moments.first + of.first.take * gradient
    second = of.second.keep * moments.second + of.second.take * gradient.square()
    return Moments(first, second, moments.steps + 1)


def step(
    of: Rule, gradient: torch.Tensor, moments: Moments, placement: Placement = "inside", axis: int = -2
) -> tuple[torch.Tensor, Moments]:
    """h m, by which the weights change when it is multiplied by -lr, and the state after the gradient."""
    after = seen(of, gradient, moments)
    return conditioner(of, after, placement, axis) * _corrected(after.first, of.first, after.steps), after


def _corrected(total: torch.Tensor, average: Average, steps: int) -> torch.Tensor:
    if steps == 0 or (isinstance(average.base, float) and not average.base):
        return total
    return total / (1 - average.base**steps)
