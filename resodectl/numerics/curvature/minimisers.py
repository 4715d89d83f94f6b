"""The manifold of minimisers of L = |r|^2, and the Riemannian flows of its sharpness along it.

Where the residuals r vanish and their Jacobian J has full rank, the minimisers form a manifold with tangent space
ker J. The limiting flows of Arora, Li & Panigrahi 2022 (arXiv 2205.09745) are dX/ds = -P grad log lambda_1 and
dX/ds = -P grad lambda_1 there, with P = I - J^T (J J^T)^+ J, lambda_1 the largest eigenvalue of Hess L, and
s = lr^2 t / 4 for t steps of normalised descent, s = lr^2 t / 8 for descent on sqrt(L).
Weights are `(runs, size)`, residuals `(runs, count)`, Jacobians `(runs, count, size)`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import torch

from resodectl.numerics.curvature.lanczos import largest
from resodectl.numerics.curvature.operators import Hessian, Losses
from resodectl.numerics.descent.full_batch import flow_step
from resodectl.numerics.ode.tableaux import MIDPOINT, Tableau

Residuals = Callable[[torch.Tensor], torch.Tensor]
Rows = Callable[[torch.Tensor], torch.Tensor]
"""Weights `(runs, size)` -> the Jacobian of residuals, `(runs, count, size)`."""
Potential = Literal["log-sharpness", "sharpness"]

RANK = 1e-12  # directions in which J J^T is smaller than this part of its largest eigenvalue count as its kernel
ON_MANIFOLD = 1e-10  # |r| of what counts as a minimiser
STEPS = 30  # of Gauss-Newton, at most


class Slope(NamedTuple):
    """lambda_1 `(runs,)`; the gradient of lambda_1 in all of space, `(runs, size)`; and a start for the next Lanczos
    iteration, `(runs, 1, size)`."""

    sharpness: torch.Tensor
    gradient: torch.Tensor
    start: torch.Tensor


def squared(residuals: Residuals) -> Losses:
    """L = |r|^2."""
    return lambda weights: residuals(weights).square().sum(1)


def jacobian(residuals: Residuals, weights: torch.Tensor) -> torch.Tensor:
    """J, one row a residual, by one vmapped backward pass.

    >>> jacobian(lambda w: w.square().sum(1, keepdim=True) - 1, torch.tensor([[3.0, 4.0]]))
    tensor([[[6., 8.]]])
    """
    weights = weights.detach().requires_grad_()
    with torch.enable_grad():
        values = residuals(weights)
        runs, count = values.shape
        rows = torch.eye(count, dtype=values.dtype, device=values.device)
        cotangents = rows.unsqueeze(1).expand(-1, runs, -1)
        (derivatives,) = torch.autograd.grad(values, weights, cotangents, is_grads_batched=True)
    return derivatives.transpose(0, 1)


class NormalSpace(Protocol):
    """The normal space of a manifold at a point, and a way back to the manifold."""

    def part(self, vectors: torch.Tensor) -> torch.Tensor:
        """What of vectors `(runs, size)` is normal."""
        ...

    def retract(self, weights: torch.Tensor) -> torch.Tensor:
        """A point of the manifold near `weights`, which are near the point where the space was taken."""
        ...


class GaussNewton:
    """The normal space of the minimisers: the range of J^T, with J J^T factorised once.

    Args:
        rows: gives J; by vmapped backward passes where it is left out.
    """

    def __init__(self, residuals: Residuals, weights: torch.Tensor, rows: Rows | None = None) -> None:
        self._residuals = residuals
        self._rows = jacobian(residuals, weights) if rows is None else rows(weights)
        gram = self._rows @ self._rows.transpose(1, 2)
        finite = gram.isfinite().flatten(1).all(1)[:, None, None]  # what has diverged stays so through J^T
        self._gram = torch.where(finite, gram, torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device))
        self._factor, failed = torch.linalg.cholesky_ex(self._gram)
        pivots = self._factor.diagonal(dim1=1, dim2=2).square()
        self._regular = not (failed.any() or (pivots.amin(1) <= RANK * pivots.amax(1)).any())

    def lifted(self, values: torch.Tensor) -> torch.Tensor:
        """J^+ v = J^T (J J^T)^+ v for values `(runs, count)`: `(runs, size)`."""
        column = values.unsqueeze(2)
        if self._regular:
            solved = torch.cholesky_solve(column, self._factor)
        else:
            eigenvalues, vectors = torch.linalg.eigh(self._gram)
            kept = eigenvalues > RANK * eigenvalues[:, -1:]
            inverse = torch.where(kept, 1 / torch.where(kept, eigenvalues, 1.0), 0.0).unsqueeze(2)
            solved = vectors @ (inverse * (vectors.transpose(1, 2) @ column))
        return (self._rows.transpose(1, 2) @ solved).squeeze(2)

    def part(self, vectors: torch.Tensor) -> torch.Tensor:
        """J^+ J v: the projection on the range of J^T."""
        return self.lifted((self._rows @ vectors.unsqueeze(2)).squeeze(2))

    def retract(self, weights: torch.Tensor) -> torch.Tensor:
        """The limit of steps w - J^+ r with this one J, until |r| <= 1e-10: they stay within the normal space."""
        for _ in range(STEPS):
            values = self._residuals(weights)
            if (values.norm(dim=1) <= ON_MANIFOLD).all():
                break
            weights = weights - self.lifted(values)
        return weights


@dataclass(frozen=True)
class DescentRetraction:
    """A way back by gradient descent, where J is too large: it ends at Phi(w).

    The derivative of Phi on the manifold is the tangent projection, so no normal part needs to be taken away before.
    """

    gradient: Callable[[torch.Tensor], torch.Tensor]
    lr: float
    steps: int

    def part(self, vectors: torch.Tensor) -> torch.Tensor:
        """Zero, see the class."""
        return torch.zeros_like(vectors)

    def retract(self, weights: torch.Tensor) -> torch.Tensor:
        """The weights after `steps` steps."""
        for _ in range(self.steps):
            weights = weights - self.lr * self.gradient(weights)
        return weights


@dataclass(frozen=True)
class Unretracted:
    """A normal space that takes normal parts away but brings nothing back: points drift off the manifold."""

    space: NormalSpace

    def part(self, vectors: torch.Tensor) -> torch.Tensor:
        """The space's."""
        return self.space.part(vectors)

    def retract(self, weights: torch.Tensor) -> torch.Tensor:
        """The weights as they are."""
        return weights


class Ambient:
    """No manifold: all directions are tangent, and every point is on it."""

    def part(self, vectors: torch.Tensor) -> torch.Tensor:
        """Zero."""
        return torch.zeros_like(vectors)

    def retract(self, weights: torch.Tensor) -> torch.Tensor:
        """The weights as they are."""
        return weights


def retract(residuals: Residuals, weights: torch.Tensor, rows: Rows | None = None) -> torch.Tensor:
    """The minimiser that Gauss-Newton steps w - J^+ r reach from `weights`, with a new J each: until |r| <= 1e-10.

    Near the manifold this is the closest minimiser up to the square of the distance.

    >>> retract(lambda w: w.square().sum(1, keepdim=True) - 1, torch.tensor([[3.0, 4.0]], dtype=torch.float64))
    tensor([[0.6000, 0.8000]], dtype=torch.float64)
    """
    for _ in range(STEPS):
        if (residuals(weights).norm(dim=1) <= ON_MANIFOLD).all():
            break
        weights = weights - GaussNewton(residuals, weights, rows).lifted(residuals(weights))
    return weights


def sharpness_slope(losses: Losses, weights: torch.Tensor, start: torch.Tensor, tolerance: float = 1e-6) -> Slope:
    """lambda_1 and grad lambda_1 = D^3 L [v, v, .], the third derivative contracted twice; lambda_1 must be simple.

    Args:
        start: where Lanczos starts, `(runs, 1, size)`, such as the last slope's.
    """
    ritz = largest(Hessian(losses, weights), start, tolerance)
    vector = ritz.vectors[:, 0]
    with torch.enable_grad():
        leaf = weights.detach().requires_grad_()
        (slope,) = torch.autograd.grad(losses(leaf).sum(), leaf, create_graph=True)
        (product,) = torch.autograd.grad(slope, leaf, vector, create_graph=True)
        (gradient,) = torch.autograd.grad((product * vector).sum(), leaf)
    return Slope(ritz.values[:, 0], gradient, ritz.start)


@dataclass(frozen=True)
class SharpnessFlow:
    """The flow of -P grad log lambda_1, or -P grad lambda_1, on a manifold of minimisers of a loss; time is s.

    Attributes:
        manifold: the normal space at weights, such as `GaussNewton` of some residuals; with `Ambient` the flow is not
            kept on the manifold, and leaves it.
        tolerance: residual of lambda_1, relative to it.
    """

    losses: Losses
    potential: Potential
    manifold: Callable[[torch.Tensor], NormalSpace]
    tolerance: float = 1e-6

    def velocity(
        self, weights: torch.Tensor, normal: NormalSpace, start: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The velocity `(runs, size)` at `weights` by Lanczos from `start`, and a start for the next call."""
        slope = sharpness_slope(self.losses, weights, start, self.tolerance)
        uphill = slope.gradient
        if self.potential == "log-sharpness":
            uphill = uphill / slope.sharpness.unsqueeze(1)
        return normal.part(uphill) - uphill, slope.start

    def advance(
        self, weights: torch.Tensor, start: torch.Tensor, step: float, tableau: Tableau = MIDPOINT
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One step on the manifold: the new weights, and the next start.

        Every stage, and the end of the step, is retracted by the normal space where the last velocity was taken. The
        error is O(step^2) for Euler and O(step^3) for the midpoint scheme.
        """
        at, normal, velocities = weights, self.manifold(weights), list[torch.Tensor]()
        for _ in tableau.stages:
            if velocities:
                at = normal.retract(tableau.argument(weights, velocities, step))
                normal = self.manifold(at)
            velocity, start = self.velocity(at, normal, start)
            velocities.append(velocity)
        return normal.retract(tableau.advance(weights, velocities, step)), start


def landing(
    gradient: Callable[[torch.Tensor], torch.Tensor], weights: torch.Tensor, step: float, tolerance: float
) -> torch.Tensor:
    """Phi, the limit of gradient flow from `weights`, by RK4 steps until all |grad L| <= `tolerance`.

    For losses whose sharpness times `step` stays below 2.785, where RK4 is stable.
    """
    while (gradient(weights).norm(dim=1) > tolerance).any():
        weights = flow_step(lambda at: -gradient(at), weights, step)
    return weights
