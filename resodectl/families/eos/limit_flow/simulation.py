"""Paths of normalised descent and of descent on sqrt(L) on a toy, all learning rates side by side, and their flows.

Arora, Li & Panigrahi 2022 (arXiv 2205.09745). On the top eigenvector both oscillate with period two; with the
stableness S = lr lambda_1 / |grad L| of normalised descent 1/S_t + 1/S_t+1 = 1 + O(lr), and sqrt(L_t) + sqrt(L_t+1) is
lr sqrt(lambda_1 / 2), on sqrt(L) lr lambda_1 / 2, up to O(lr^2).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.choices import Algorithm
from resodectl.experiment.context import Context
from resodectl.families.eos.limit_flow.spec import Point
from resodectl.families.eos.toys import TOYS, Toy, ellipse
from resodectl.numerics.curvature.minimisers import (
    Ambient,
    GaussNewton,
    NormalSpace,
    Potential,
    SharpnessFlow,
    Unretracted,
    landing,
    retract,
    squared,
)
from resodectl.numerics.descent.full_batch import normalised_step, square_root_step

CHUNK = 20_000  # points whose Hessians are taken at once
LANDING_STEP = 0.004  # of RK4, for an error of 1e-8; from gradients of 1e-7 on Gauss-Newton does the rest
POTENTIALS: dict[Algorithm, tuple[Potential, float]] = {
    "normalised": ("log-sharpness", 1 / 4),
    "square-root": ("sharpness", 1 / 8),
}  # and s / tau


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    point = cell.point
    toy = ellipse(point.axes) if point.toy == "ellipse" else TOYS[point.toy]
    lrs = torch.tensor(point.lrs, dtype=context.dtype)
    start = toy.start(lrs) if point.start is None else lrs.new_tensor(point.start).repeat(len(lrs), 1)
    landed = landing(lambda at: toy.loss_and_gradient(at)[1], start, LANDING_STEP, tolerance=1e-7)
    landed = retract(toy.residuals, landed)
    yield "flows", _integrated(point, toy, landed)
    context.progress(0.3)
    steps = [round(point.horizon / lr**2) for lr in point.lrs]
    path = descend(toy, point.algorithm, start, lrs, max(steps))
    context.progress(0.8)
    entries = []
    for index, (lr, count) in enumerate(zip(point.lrs, steps, strict=True)):
        own = path[: count + 2, index]
        near = torch.nonzero(toy.distance(own[: count + 1]) <= lr)
        entry = int(near[0]) if len(near) else None
        entries.append(torch.inf if entry is None else entry * lr)
        yield "paths", _records(point, toy, lr, own, toy.coordinate(landed[index]), entry)
    yield "landings", {"lr": lrs, "landing": toy.coordinate(landed), "entry": np.array(entries, dtype=float)}


@torch.no_grad()
def descend(toy: Toy, algorithm: Algorithm, start: torch.Tensor, lrs: torch.Tensor, steps: int) -> torch.Tensor:
    """The iterates 0 to steps + 1 of all learning rates, `(steps + 2, runs, size)`."""
    path = start.new_empty(steps + 2, *start.shape)
    path[0] = at = start
    lr = lrs.unsqueeze(1)
    for t in range(1, steps + 2):
        loss, gradient = toy.loss_and_gradient(at)
        if algorithm == "normalised":
            at = normalised_step(at, gradient, lr)
        else:
            at = square_root_step(at, loss, gradient, lr)
        path[t] = at
    return path


def _speed(point: Point) -> float:
    """What the time of the closed-form flow is multiplied by."""
    return 2.0 if point.ablation == "double-time" else 1.0


def curvature(toy: Toy, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """lambda_1 of Hess L and its unit eigenvector at points `(count, size)`: `(count,)` and `(count, size)`."""
    hessian = torch.func.vmap(torch.func.hessian(toy.loss))
    found = [torch.linalg.eigh(hessian(chunk)) for chunk in points.split(CHUNK)]
    return torch.cat([values[:, -1] for values, _ in found]), torch.cat([vectors[..., -1] for _, vectors in found])


def _records(
    point: Point, toy: Toy, lr: float, path: torch.Tensor, landed: torch.Tensor, entry: int | None
) -> dict[str, Any]:
    """The rows of one learning rate, from its path of one iterate more than there are steps to record.

    Args:
        entry: the step at which the path lands; None if it never does.
    """
    count = len(path) - 1
    step = torch.arange(count)
    time = step.double() * lr**2
    places = toy.coordinate(path)
    coordinate = places[:-1]
    flow = toy.clocks[point.algorithm].flow(landed, time, _speed(point))
    gradient = toy.loss_and_gradient(path)[1]
    sharpness, vector = curvature(toy, path)
    roots = toy.loss(path).sqrt()
    on_manifold = toy.sharpness(coordinate)
    if point.algorithm == "normalised":
        inverse = gradient.norm(dim=1) / (lr * sharpness)
        pair = (inverse[:-1] + inverse[1:] - 1).abs()
        roots_sum = lr * (on_manifold / 2).sqrt()
    else:
        pair = torch.full_like(time, torch.nan)
        roots_sum = lr * on_manifold / 2
    cosine = (gradient * vector).sum(1).abs() / gradient.norm(dim=1)
    even = torch.linspace(0, count - 1, min(point.records, count), dtype=torch.float64).round().long()
    at = even if entry is None else torch.cat([even, torch.tensor([entry])]).unique()
    ends = [*at[1:].tolist(), count]

    def largest(values: torch.Tensor) -> torch.Tensor:
        return torch.stack([values[a:b].max() for a, b in zip(at.tolist(), ends, strict=True)])

    return {
        "lr": lr,
        "step": step[at],
        "time": time[at],
        "fraction": time[at] / point.horizon,
        "landed": torch.zeros_like(at, dtype=torch.bool) if entry is None else at >= entry,
        "coordinate": coordinate[at],
        "pair_mean": (places[:-1] + places[1:])[at] / 2,
        "flow": flow[at],
        "error": largest((coordinate - flow).abs()),
        "pair_stableness": largest(pair),
        "pair_root_loss": largest(((roots[:-1] + roots[1:]) / roots_sum - 1).abs()),
        "misalignment": largest(1 - cosine[:-1]),
    }


def _integrated(point: Point, toy: Toy, landed: torch.Tensor) -> dict[str, Any]:
    """The flow along the minimisers from third derivatives, beside the closed form, from the landing of every rate."""
    potential, scale = POTENTIALS[point.algorithm]

    def manifold(at: torch.Tensor) -> NormalSpace:
        if point.ablation == "ambient-flow":
            return Ambient()
        space = GaussNewton(toy.residuals, at)
        return Unretracted(space) if point.ablation == "no-retraction" else space

    flow = SharpnessFlow(squared(toy.residuals), potential, manifold)
    step = point.horizon / point.flow_steps
    at, start, found = landed, torch.ones_like(landed)[:, None], [landed]
    for _ in range(point.flow_steps):
        at, start = flow.advance(at, start, scale * step)
        found.append(at)
    points = torch.stack(found)
    time = (step * torch.arange(len(points), dtype=torch.float64)).unsqueeze(1).expand(points.shape[:2])
    closed = toy.clocks[point.algorithm].flow(toy.coordinate(landed), time, _speed(point))
    return {
        "lr": torch.tensor(point.lrs, dtype=torch.float64).expand(points.shape[:2]).flatten(),
        "time": time.flatten(),
        "integrated": toy.coordinate(points).flatten(),
        "flow": closed.flatten(),
        "distance": toy.distance(points).flatten(),
    }
