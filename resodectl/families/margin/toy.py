"""The toy study of Wang, Meng, Chen & Liu 2021 (arXiv 2012.06244): its points, its first weights, its optimisers."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch

from resodectl.numerics.descent.adaptive import Rule, rule, side_by_side
from resodectl.numerics.draws import Streams, TensorPlace, uniform

ANGLE, NOISE = 0.5, 0.6  # the means of the classes are +-(cos, sin) of the angle; the noise is uniform in a square

Optimiser = Literal["gd", "adagrad", "scalar-adagrad", "rmsprop", "adam", "adam-momentum", "sign"]
Variant = Literal["official", "paper"]


class Points(NamedTuple):
    """Sets of points: inputs `(sets, n, 2)`, and labels `(n,)`, 1 for the first half and -1 for the second."""

    inputs: torch.Tensor
    labels: torch.Tensor


def points(streams: Streams, count: int, place: TensorPlace) -> Points:
    """A set of `count` points for each stream, half of either label; a line through the origin separates them."""
    labels = torch.ones(count, **place._asdict())
    labels[count // 2 :] = -1
    middle = labels.new_tensor([np.cos(ANGLE), np.sin(ANGLE)])
    noise = uniform(streams, (count, 2), -NOISE, NOISE, *place)
    return Points(labels.unsqueeze(1) * middle + noise, labels)


def first_weights(streams: Streams, runs: int, place: TensorPlace) -> torch.Tensor:
    """The weights (w_1, w_2, v) of `runs` runs for each stream, `(sets, 3, runs)`; more runs begin with the same."""
    return uniform(streams, (runs, 3), -1.0, 1.0, *place).transpose(1, 2).contiguous()


def rules(
    optimisers: Sequence[Optimiser], runs: int, epsilon: float, beta: float, variant: Variant, like: torch.Tensor
) -> Rule:
    """The rules of all runs of the first optimiser, then those of the second one, ..., on the last axis.

    That of `sign` is RMSProp's without memory and epsilon: h = 1 / |g|.
    """
    named = [
        rule("rmsprop", 0.0, 0.0) if name == "sign" else rule(name, epsilon, beta, official=variant == "official")
        for name in optimisers
    ]
    return side_by_side([of for of in named for _ in range(runs)], like)


def rates(optimisers: Sequence[Optimiser], runs: int, lr: float, gd_lr: float, like: torch.Tensor) -> torch.Tensor:
    """The learning rate of each run, in the order of `rules`."""
    return like.new_tensor([gd_lr if name == "gd" else lr for name in optimisers]).repeat_interleave(runs)
