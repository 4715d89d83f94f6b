"""What weight decay does to a scale-invariant loss once it is minimised: Lyu, Li & Arora 2022 (arXiv 2206.07085).

Let h be the learning rate, l the decay and u = w / |w|. Then u follows projected descent on the sphere, of the
effective step eta = h / ((1 - h l) |w|^2) (`full_batch.effective_step`). The norm obeys
|w'|^2 = (1 - h l)^2 |w|^2 + h^2 |grad L(u)|^2 / |w|^2. So v = 2 h l / eta^2 is, up to O(h^2 |grad L|^4 / |w|^8), the
second moment of a scalar RMSprop: eta = e / sqrt(v), v' = b v + (1 - b) |grad L(u)|^2 with e = sqrt(2 h l) and
b = (1 - h l)^4. At the edge lambda = 2 / eta, u = phi + x v_1 oscillates about the manifold Gamma of minimisers. In the
time tau = h l t its projection follows d phi / d tau = -2 G / (4 + |G|^2), G = grad_Gamma log lambda, and the mean
square of the oscillation is <x^2> = 2 h l / (4 + |G|^2).
"""

from collections.abc import Callable
from typing import Literal

import torch

from resodectl.numerics.descent.full_batch import flow_step

FlowAblation = Literal["none", "no-denominator", "no-projection", "double-time"]
"""Deliberately wrong flows: -G / 2 (that of normalised descent, which keeps no second moment), the gradient of log
lambda not projected to the tangent space of the sphere, and the time 2 h l t."""

Field = Callable[[torch.Tensor], torch.Tensor]
SUBSTEPS = 4  # Runge-Kutta steps from one time to the next


def reduction_velocity(points: torch.Tensor, gradient: torch.Tensor, ablation: str = "none") -> torch.Tensor:
    """-2 G / (4 + |G|^2), `(runs, size)`: never faster than 1/2.

    Args:
        points: `(runs, size)`, of norm one; Gamma is the sphere in the coordinates of a subspace.
        gradient: `(runs, size)`, of log lambda in that subspace; G is its tangential part.
        ablation: a `FlowAblation`; any other value leaves the flow as it is.

    >>> reduction_velocity(torch.tensor([[0.0, 1.0]]), torch.tensor([[2.0, 5.0]])).tolist()
    [[-0.5, -0.0]]
    """
    radial = points * (points * gradient).sum(1, keepdim=True)
    along = gradient if ablation == "no-projection" else gradient - radial
    squared = 0.0 if ablation == "no-denominator" else along.square().sum(1, keepdim=True)
    return -(4.0 if ablation == "double-time" else 2.0) / (4.0 + squared) * along


def reduction_flow(gradient: Field, points: torch.Tensor, times: torch.Tensor, ablation: str = "none") -> torch.Tensor:
    """Where the flow has taken `points` `(runs, size)` at rising `times` from 0: `(times, runs, size)`.

    Each step of the classical Runge-Kutta method ends on the sphere. `gradient` is that of log lambda, see
    `reduction_velocity`, which also has the ablations.
    """

    def field(where: torch.Tensor) -> torch.Tensor:
        return reduction_velocity(where, gradient(where), ablation)

    path, now = [], 0.0
    for time in times.tolist():
        for _ in range(SUBSTEPS if time > now else 0):
            points = flow_step(field, points, (time - now) / SUBSTEPS)
            points = points / points.norm(dim=1, keepdim=True)
        path.append(points)
        now = time
    return torch.stack(path)
