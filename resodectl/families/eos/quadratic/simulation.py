"""Normalised descent on L = x^T A x / 2, all starts side by side: with xt = A x / lr, xt' = (I - A / |xt|) xt.

Arora, Li & Panigrahi 2022 (arXiv 2205.09745): the sets I_j = {|P_j..D xt| <= lambda_j}, P_j..D projecting on the
eigenvectors from the j-th on, are invariant. If <v1, xt> never vanishes, xt alternates in the end between C lambda_1 v1
and -(1 - C) lambda_1 v1. Where |xt| <= lambda_1 / 2, |<v1, xt>| grows, and at those times alone it never falls.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.eos.quadratic.spec import Point
from resodectl.numerics.draws import normal


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    point, seeds = cell.point, np.array(cell.seeds)
    eigenvalues = torch.tensor(point.eigenvalues, dtype=context.dtype)
    if point.kind == "given":
        start = torch.tensor(point.start, dtype=context.dtype).repeat(len(seeds), 1)
    else:
        start = point.spread * normal(context.streams("start"), eigenvalues.shape, context.dtype)
    start[:, 0] *= point.along_first
    path = descend(start, eigenvalues, point.steps)
    norms = path.norm(dim=2)
    shown = path[: point.shown]
    yield (
        "iterates",
        {
            "seed": seeds.repeat(len(shown)),
            "step": np.tile(np.arange(len(shown)), len(seeds)),
            "norm": norms[: point.shown].T.flatten(),
            "first": shown[..., 0].T.flatten(),
            "second": shown[..., 1].T.flatten(),
            "half_sharpness": eigenvalues[0].item() / 2,
        },
    )
    yield (
        "limits",
        {
            "seed": seeds,
            "pair_error": (norms[-2] + norms[-1] - eigenvalues[0]).abs(),
            "misalignment": 1 - path[-1, :, 0].abs() / norms[-1],
            "escape": _escape(path, point.radius * eigenvalues),
        },
    )
    below = norms <= eigenvalues[0] / 2
    for side in (True, False):
        growth = [_least_growth(path[:, s, 0].abs(), below[:, s] == side) for s in range(len(seeds))]
        along, restricted = (np.array(values) for values in zip(*growth, strict=True))
        yield "growth", {"seed": seeds, "below": side, "next": along, "restricted": restricted}


def descend(start: torch.Tensor, eigenvalues: torch.Tensor, steps: int) -> torch.Tensor:
    """The iterates 0 to `steps` of starts `(runs, size)`, in the basis of eigenvectors: `(steps + 1, runs, size)`."""
    path = start.new_empty(steps + 1, *start.shape)
    path[0] = at = start
    for t in range(1, steps + 1):
        at = at - eigenvalues * at / at.norm(dim=1, keepdim=True)
        path[t] = at
    return path


def _escape(path: torch.Tensor, radii: torch.Tensor) -> torch.Tensor:
    """How far out of a set the iterates get after they have been in it, in units of its radius: `(runs,)`."""
    tails = path.square().flip(2).cumsum(2).flip(2).sqrt() / radii
    entered = (tails <= 1).cumsum(0) > 0
    return torch.where(entered, tails, 0.0).amax((0, 2))


def _least_growth(along: torch.Tensor, chosen: torch.Tensor) -> tuple[float, float]:
    """Least factors from a chosen time to the next time, and to the next chosen time; NaN where there is none."""
    at = chosen[:-1]
    restricted = along[chosen]
    factors = along[1:][at] / along[:-1][at], restricted[1:] / restricted[:-1]
    following, between = (values.min().item() if len(values) else float("nan") for values in factors)
    return following, between
