"""Descent with weight decay on regression with batch normalisation, all seeds side by side, and its limiting flow.

Lyu, Li & Arora 2022 (arXiv 2206.07085). Off the manifold of minimisers sharpness and 2 / eta alternate from step to
step, so both are averaged over two.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.eos.batchnorm_regression.problem import Problem, draw, edge_start, plateau_start
from resodectl.families.eos.batchnorm_regression.spec import Point
from resodectl.families.eos.edges import edge_time
from resodectl.numerics.curvature.sharpness_reduction import reduction_flow
from resodectl.numerics.descent.full_batch import decayed_step, effective_step
from resodectl.numerics.laws.thresholds import gradient_threshold

Found = dict[str, torch.Tensor]
Rows = dict[str, np.ndarray]


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """All rows of a run: the flow starts where descent came to the edge, which is known at the end."""
    point = cell.point
    streams = context.streams("problem")
    problem, extra = draw(streams, point.examples, point.dim, context.dtype, context.device)
    if point.start == "edge":
        weights = edge_start(problem, extra, point.distance, point.lr, point.decay)
    else:
        weights = plateau_start(extra, point.norm)
    steps = np.linspace(0, point.length(point.lr) - 1, point.records).astype(int)
    found = _descend(problem, weights, steps, point, context)
    rows = {name: torch.stack(values).double().cpu().numpy() for name, values in found.items()}
    times = steps * point.lr * point.decay
    edges = np.array(
        [
            0.0 if point.start == "edge" else edge_time(times, ratio)
            for ratio in (rows["sharpness"] / rows["threshold"]).T
        ]
    )
    predicted = _predicted(rows["distance"], times, edges, point.ablation)
    floor = problem.least_sharpness.double().cpu().numpy()
    rows |= {"predicted": predicted, "predicted_sharpness": floor * (1 + predicted**2)}
    rows["edge_reached"] = np.maximum.accumulate(rows["sharpness"] >= rows["threshold"])
    for index, step in enumerate(steps):
        own = {name: values[index] for name, values in rows.items()}
        own |= {"edge_time": edges, "step_factor": _step_factor(point, int(step))}
        yield "curves", {"seed": np.array(cell.seeds), "step": int(step), "time": times[index]} | own


def _descend(
    problem: Problem, weights: torch.Tensor, steps: np.ndarray, point: Point, context: Context
) -> dict[str, list[torch.Tensor]]:
    """What is measured at these steps, a tensor `(seeds,)` each."""
    first = problem.null_part(weights)
    decay = 0.0 if point.ablation == "no-decay" else point.decay
    found: dict[str, list[torch.Tensor]] = {}
    now = 0
    for index, wanted in enumerate(steps.tolist()):
        for step in range(now, wanted):
            lr = point.lr * _step_factor(point, step)
            weights = decayed_step(weights, problem.gradient(weights), lr, decay)
        now = wanted
        lr = point.lr * _step_factor(point, now)
        for name, value in _measured(problem, weights, first, now, lr, decay, point).items():
            found.setdefault(name, []).append(value)
        context.progress((index + 1) / len(steps))
    return found


def _step_factor(point: Point, step: int) -> float:
    """The learning rate at this step over the given one."""
    lowered = point.ablation == "reduced-step" and step * point.lr * point.decay >= point.reduction.time
    return point.reduction.factor if lowered else 1.0


def _measured(
    problem: Problem, weights: torch.Tensor, first: torch.Tensor, step: int, lr: float, decay: float, point: Point
) -> Found:
    following = decayed_step(weights, problem.gradient(weights), lr, decay)
    both = (weights, following)
    # torch.linalg.eigvalsh of diverged weights would raise.
    hessians = torch.stack([problem.spherical_hessian(w) for w in both]).nan_to_num(0.0, 0.0, 0.0)
    power = 0.5 if point.ablation == "linear-norm" else 1.0
    thresholds = torch.stack([gradient_threshold(_step(w, lr, decay, power)) for w in both])
    null, size = problem.null_part(weights), first.norm(dim=1)
    return {
        "train_loss": problem.loss(weights),
        "test_loss": problem.risk(weights),
        "sharpness": torch.linalg.eigvalsh(hessians)[..., -1].mean(0),
        "threshold": thresholds.mean(0),
        "distance": problem.distance(weights),
        "null_error": (null - (1 - point.lr * point.decay) ** step * first).norm(dim=1) / size,
        "null_drift": (null - first).norm(dim=1) / size,
    }


def _step(weights: torch.Tensor, lr: float, decay: float, power: float) -> torch.Tensor:
    """The effective step `(seeds,)`; with the power 1/2, wrongly, of |w| instead of |w|^2."""
    shrunk = lr / (1 - lr * decay)
    return shrunk * (effective_step(weights, lr, decay)[:, 0] / shrunk) ** power


def _predicted(distance: np.ndarray, times: np.ndarray, edges: np.ndarray, ablation: str) -> np.ndarray:
    """T of the flow `(times, seeds)`, started at each seed's own edge time from its T at that time.

    log lambda = -2 log c + const with c the component of u = w / |w| along w*, so its gradient is -2 / c there. The
    flow stays on the circle through w* and the null part, whose coordinates are (c, (1 - c^2)^(1/2)).
    """

    def gradient(u: torch.Tensor) -> torch.Tensor:
        return torch.cat([-2 / u[:, :1], torch.zeros_like(u[:, :1])], 1)

    at_edge = np.array(
        [np.interp(min(edge, times[-1]), times, own) for edge, own in zip(edges, distance.T, strict=True)]
    )
    angle = torch.from_numpy(np.arctan(at_edge))
    points = torch.stack([angle.cos(), angle.sin()], 1)
    path = reduction_flow(gradient, points, torch.from_numpy(times), ablation)
    flow = (path[..., 1] / path[..., 0]).numpy()
    since = np.clip(times[:, None] - edges, 0, None)
    return np.stack(
        [np.exp(np.interp(since[:, run], times, np.log(flow[:, run]))) for run in range(len(edges))], axis=1
    )
