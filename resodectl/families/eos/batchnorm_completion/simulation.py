"""Descent with weight decay on matrix completion with batch normalisation, all seeds side by side.

Lyu, Li & Arora 2022 (arXiv 2206.07085). Sharpness by Lanczos, started at the last eigenvector.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.eos.batchnorm_completion.problem import Problem, draw
from resodectl.families.eos.batchnorm_completion.spec import Point
from resodectl.numerics.curvature.lanczos import largest
from resodectl.numerics.curvature.operators import spherical_hessian
from resodectl.numerics.descent.full_batch import decayed_step, effective_step
from resodectl.numerics.draws import normal
from resodectl.numerics.laws.thresholds import gradient_threshold


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """A block of rows for each recorded step."""
    point = cell.point
    sizes = point.dim, point.rank, point.observed, point.width
    problem, weights = draw(context.streams("problem"), *sizes, context.dtype, context.device)
    decay = 0.0 if point.ablation == "no-decay" else point.decay
    start = normal(context.streams("lanczos"), (1, *weights.shape[1:]), context.dtype, context.device)
    reached, now = np.zeros(len(cell.seeds), bool), 0
    for wanted in np.linspace(0, point.steps - 1, point.records).astype(int).tolist():
        for _ in range(now, wanted):
            weights = decayed_step(weights, problem.gradient(weights), point.lr, decay)
        now = wanted
        following = decayed_step(weights, problem.gradient(weights), point.lr, decay)
        found = []
        for w in (weights, following):
            value, error, start = _sharpness(problem, w, start, point.tolerance)
            found.append(torch.stack([value, error, gradient_threshold(_step(w, point.lr, decay, point.ablation))]))
        sharpness, error, threshold = torch.stack(found).mean(0).double().cpu().numpy()
        reached = reached | (sharpness >= threshold)
        yield (
            "curves",
            {
                "seed": np.array(cell.seeds),
                "step": now,
                "train_loss": problem.loss(weights).double(),
                "test_loss": problem.test_loss(weights).double(),
                "sharpness": sharpness,
                "sharpness_error": error / sharpness,
                "threshold": threshold,
                "edge_reached": reached,
            },
        )
        context.progress((now + 1) / point.steps)


def _sharpness(
    problem: Problem, weights: torch.Tensor, start: torch.Tensor, tolerance: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The largest eigenvalue of the spherical Hessian, its residual `(runs,)`, and a start for the next time."""
    ritz = largest(spherical_hessian(problem.loss, weights), start, tolerance)
    usable = torch.isfinite(ritz.start).all(2, keepdim=True)
    return ritz.values[:, 0], ritz.residuals[:, 0], torch.where(usable, ritz.start, start)


def _step(weights: torch.Tensor, lr: float, decay: float, ablation: str) -> torch.Tensor:
    """The effective step `(runs,)`; wrongly that of |w| instead of |w|^2 in the ablation linear-norm."""
    step = effective_step(weights, lr, decay)[:, 0]
    return step * weights.norm(dim=1) if ablation == "linear-norm" else step
