"""Linear regression with batch normalisation: problems, starts, loss, gradient and spherical Hessian in closed form.

Lyu, Li & Arora 2022 (arXiv 2206.07085). With centred inputs Xc and targets yc, S = Xc^T Xc / n, s_y^2 = mean(yc^2) and
b = Xc^T yc / n, the prediction s_y Xc w / sqrt(w^T S w), with gain and shift at their optimum, has the mean squared
error L = 2 s_y^2 - 2 s_y F, F = w.b / sqrt(w^T S w). At its minimisers w = c (w* + u), Xc u = 0,
lambda = 2 lambda_max(M) (|w*|^2 + |u|^2), M = S^(1/2) (I - z z^T) S^(1/2), z along S^(1/2) w*.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Problem:
    """A problem a seed, each tensor with a leading axis of seeds."""

    inputs: torch.Tensor  # (seeds, n, d), centred
    targets: torch.Tensor  # (seeds, n), centred
    covariance: torch.Tensor  # S, (seeds, d, d)
    correlation: torch.Tensor  # b, (seeds, d)
    spread: torch.Tensor  # s_y, (seeds, 1)
    least: torch.Tensor  # w*, (seeds, d)
    teacher: torch.Tensor  # (seeds, d)
    centre: torch.Tensor  # mean of the raw inputs, (seeds, d)
    row_space: torch.Tensor  # orthonormal rows, (seeds, n - 1, d)
    top: torch.Tensor  # (seeds, d): the eigenvector of M of its largest eigenvalue
    least_sharpness: torch.Tensor  # lambda_min = 2 lambda_max(M) |w*|^2, (seeds,)

    def loss(self, weights: torch.Tensor) -> torch.Tensor:
        """The mean squared error `(seeds,)` of weights `(seeds, d)`, from the residuals: exact near zero."""
        outputs = torch.bmm(self.inputs, weights.unsqueeze(2)).squeeze(2)
        outputs = self.spread * outputs / outputs.square().mean(1, keepdim=True).sqrt()
        return (outputs - self.targets).square().mean(1)

    def risk(self, weights: torch.Tensor) -> torch.Tensor:
        """The expected squared error `(seeds,)` on new standard Gaussian inputs, with the statistics of the examples:
        |v - teacher|^2 + (mean of inputs . (v - teacher))^2 for v = s_y w / sqrt(w^T S w)."""
        size = torch.bmm(self.inputs, weights.unsqueeze(2)).square().mean(1).sqrt()
        wrong = self.spread * weights / size - self.teacher
        return wrong.square().sum(1) + (self.centre * wrong).sum(1).square()

    def gradient(self, weights: torch.Tensor) -> torch.Tensor:
        """(2 s_y / sqrt(q)) ((w.b / q) S w - b), q = w^T S w: `(seeds, d)`."""
        turned = torch.bmm(self.covariance, weights.unsqueeze(2)).squeeze(2)
        q = (weights * turned).sum(1, keepdim=True)
        along = (weights * self.correlation).sum(1, keepdim=True)
        return (turned * (along / q) - self.correlation) * (2 * self.spread * q.rsqrt())

    def spherical_hessian(self, weights: torch.Tensor) -> torch.Tensor:
        """That of L at w / |w|, `(seeds, d, d)`.

        Hess F = 3 (w.b) Sw (Sw)^T / q^(5/2) - (b (Sw)^T + Sw b^T + (w.b) S) / q^(3/2).
        """
        unit = weights / weights.norm(dim=1, keepdim=True)
        turned = torch.bmm(self.covariance, unit.unsqueeze(2)).squeeze(2)
        q, along = ((unit * other).sum(1)[:, None, None] for other in (turned, self.correlation))
        cross = self.correlation[:, :, None] * turned[:, None, :]
        inner = 3 * (along / q) * turned[:, :, None] * turned[:, None, :] - cross - cross.transpose(1, 2)
        return -2 * self.spread[:, :, None] * (inner - along * self.covariance) / q**1.5

    def null_part(self, weights: torch.Tensor) -> torch.Tensor:
        """What of `(seeds, d)` no example sees."""
        coordinates = torch.bmm(self.row_space, weights.unsqueeze(2))
        return weights - torch.bmm(self.row_space.transpose(1, 2), coordinates).squeeze(2)

    def distance(self, weights: torch.Tensor) -> torch.Tensor:
        """T = |null part| / |part along w*|, `(seeds,)`."""
        along = (weights * self.least).sum(1).abs() / self.least.norm(dim=1)
        return self.null_part(weights).norm(dim=1) / along


def draw(
    streams: Sequence[np.random.Generator], examples: int, dim: int, dtype: torch.dtype, device: torch.device
) -> tuple[Problem, torch.Tensor]:
    """Standard Gaussian inputs, teacher without noise, and one more Gaussian vector `(seeds, d)` for the start, drawn
    in this order."""
    drawn = [tuple(s.standard_normal(shape) for shape in ((examples, dim), (dim,), (dim,))) for s in streams]
    raw, teacher, extra = (torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True))
    centre = raw.mean(1)
    inputs = raw - centre[:, None]
    targets = torch.bmm(inputs, teacher[:, :, None]).squeeze(2)
    covariance = torch.bmm(inputs.transpose(1, 2), inputs) / examples
    _, scales, directions = torch.linalg.svd(inputs, full_matrices=False)
    rows = directions[:, :-1]  # centred inputs have rank n - 1
    least = torch.bmm(rows.transpose(1, 2), torch.bmm(rows, teacher[:, :, None])).squeeze(2)
    # In the row space S is diagonal, and so is its root.
    root = scales[:, :-1] / math.sqrt(examples)
    z = root * torch.bmm(rows, least[:, :, None]).squeeze(2)
    z = z / z.norm(dim=1, keepdim=True)
    project = torch.eye(examples - 1, dtype=raw.dtype) - z[:, :, None] * z[:, None, :]
    values, vectors = torch.linalg.eigh(root[:, :, None] * project * root[:, None, :])
    problem = Problem(
        inputs,
        targets,
        covariance,
        torch.bmm(inputs.transpose(1, 2), targets[:, :, None]).squeeze(2) / examples,
        targets.square().mean(1, keepdim=True).sqrt(),
        least,
        teacher,
        centre,
        rows,
        torch.bmm(rows.transpose(1, 2), vectors[:, :, -1:]).squeeze(2),
        2 * values[:, -1] * least.square().sum(1),
    )
    moved = {name: value.to(device=device, dtype=dtype) for name, value in vars(problem).items()}
    return Problem(**moved), extra.to(device=device, dtype=dtype)


def edge_start(problem: Problem, extra: torch.Tensor, distance: float, lr: float, decay: float) -> torch.Tensor:
    """Weights `(seeds, d)` along w* + u, |u| = T |w*|, displaced by e / 2 along the unstable direction, with
    |w|^2 = h lambda / 2."""
    null = problem.null_part(extra)
    size = problem.least.norm(dim=1, keepdim=True)
    minimiser = problem.least + null * (distance * size / null.norm(dim=1, keepdim=True))
    unit = minimiser / minimiser.norm(dim=1, keepdim=True)
    unit = unit + math.sqrt(2 * lr * decay) / 2 * problem.top
    squared = lr * problem.least_sharpness[:, None] * (1 + distance**2) / 2
    return unit / unit.norm(dim=1, keepdim=True) * squared.sqrt()


def plateau_start(extra: torch.Tensor, norm: float) -> torch.Tensor:
    """Weights `(seeds, d)` of the given norm along `extra`."""
    return extra / extra.norm(dim=1, keepdim=True) * norm
