"""Iterates of normalised descent and of descent on sqrt(L), and how unstable each step is.

Arora, Li & Panigrahi 2022 (arXiv 2205.09745), Figure 1. The stableness is that of the point, S = lr lambda_1, with
the Hessian of L and lr / |grad L| in normalised descent, and with the Hessian of sqrt(L) in descent on sqrt(L).
"""

from collections.abc import Iterator
from typing import Any

import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.eos.surface.spec import Point
from resodectl.families.eos.toys import TOYS
from resodectl.numerics.curvature.operators import Hessian, SquareRootHessian, dense
from resodectl.numerics.descent.full_batch import normalised_step, square_root_step


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    point, toy = cell.point, TOYS["surface"]
    at = torch.tensor([point.start], dtype=context.dtype)
    path = [at]
    for _ in range(point.steps):
        loss, gradient = toy.loss_and_gradient(at)
        if point.algorithm == "normalised":
            at = normalised_step(at, gradient, point.lr)
        else:
            at = square_root_step(at, loss, gradient, point.lr)
        path.append(at)
    iterates = torch.cat(path)
    hessian = Hessian(toy.loss, iterates)
    if point.algorithm == "normalised":
        step = point.lr / hessian.gradient.norm(dim=1)
        sharpness = largest_eigenvalue(dense(hessian))
    else:
        step = torch.full_like(hessian.loss, point.lr)
        sharpness = largest_eigenvalue(dense(SquareRootHessian(hessian)))
    yield (
        "iterates",
        {
            "step": torch.arange(len(iterates)),
            "x": iterates[:, 0],
            "y": iterates[:, 1],
            "root_loss": hessian.loss.sqrt(),
            "valley_sharpness": toy.sharpness(iterates[:, 0]),
            "stableness": step * sharpness,
        },
    )


def largest_eigenvalue(matrices: torch.Tensor) -> torch.Tensor:
    """Of each symmetric matrix `(count, size, size)`; NaN where an entry is not finite, as on a minimiser."""
    finite = matrices.isfinite().all(2).all(1)
    values = torch.linalg.eigvalsh(torch.where(finite[:, None, None], matrices, 0.0))[:, -1]
    return torch.where(finite, values, torch.nan)
