"""The largest algebraic eigenvalues of symmetric operators of several runs at once, by Lanczos with a warm start.

Lanczos with full reorthogonalisation (Parlett, The Symmetric Eigenvalue Problem, 1998, chapter 13). A Ritz pair
(theta, y) of the tridiagonal matrix T_m with eigenvector s has the residual |A y - theta y| = beta_m |s_m|, which
bounds its distance to an eigenvalue: the iteration stops on it, and returns it. (Stopping when theta changes little
instead ends too early, where theta rises slowly, and biases it downwards.)

scipy's `eigsh` (ARPACK) is the usual choice. It works on one run, starts every cycle with as many products as its
basis is wide (20), however good its start, and says nothing of the error. Along training the last eigenvector is
nearly the next one, so that a few products are enough; and its default, the largest magnitude (the code of Cohen et
al. 2021), finds negative eigenvalues. Power iteration (the code of Arora et al. 2022) finds those too, and needs many
times the products.

A start at the last eigenvector alone does not see another eigenvalue overtake it: the residual is small all the same,
and where symmetry keeps the two apart (odd and even functions), for hundreds of steps of training. So the start for
the next operator also holds some of the runner-up, the Ritz vector after the last one asked for, which nears its
eigenvector from record to record; it costs about one product. An eigenvalue that overtakes is then seen as soon as a
tenth of its lead is above the tolerance.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch

ROOM = 16  # vectors that the basis has room for at first
RUNNER_UP = 0.1  # how much of the runner-up a start holds, beside the eigenvectors of norm one


class Symmetric(Protocol):
    """A symmetric operator a run: `operator @ (runs, size)` is `(runs, size)`."""

    def __matmul__(self, vectors: torch.Tensor) -> torch.Tensor: ...


@runtime_checkable
class Narrowable(Symmetric, Protocol):
    """An operator that can leave runs out, so that those that have converged cost nothing."""

    def narrowed(self, chosen: torch.Tensor) -> Symmetric:
        """The operator of the runs with these indices."""
        ...


class Ritz(NamedTuple):
    """The approximations to the largest eigenvalues, from the largest on; NaN where products were not finite."""

    values: torch.Tensor  # (runs, k): never above the eigenvalue that they approximate, up to rounding
    vectors: torch.Tensor  # (runs, k, size), of norm one
    residuals: torch.Tensor  # (runs, k): an eigenvalue is at most so far away
    products: torch.Tensor  # (runs,): how many products it took, int64
    start: torch.Tensor  # (runs, size): a start for operators not far from these


@torch.no_grad()
def largest(operator: Symmetric, start: torch.Tensor, k: int = 1, tolerance: float = 1e-3, most: int = 100) -> Ritz:
    """The k largest eigenvalues of every run, to residuals of at most `tolerance` times the value, if `most` products
    are enough; the residuals tell.

    Args:
        start: `(runs, size)`: the last `start` along a training, or Gaussian. What it is orthogonal to stays unseen.

    Runs that have converged are left out of further products if the operator is `Narrowable`, else they are given
    zeros; in neither case are they counted.

    >>> class Diagonal:
    ...     def __matmul__(self, vectors):
    ...         return torch.tensor([[1.0, 4.0, 2.0]]) * vectors
    >>> largest(Diagonal(), torch.ones(1, 3), k=2).values
    tensor([[4., 2.]])
    """
    runs, size = start.shape
    most = min(most, size)
    k = min(k, most)
    wanted = min(k + 1, most)  # the runner-up too
    values, residuals = np.full((runs, k), np.nan), np.full((runs, k), np.nan)
    products, active = np.zeros(runs, int), np.arange(runs)
    vectors, basis = start.new_zeros(runs, wanted, size), start.new_empty(runs, min(ROOM, most), size)
    tridiagonal = np.zeros((runs, most, most))  # small: on the CPU, in float64
    vector, apply = start / start.norm(dim=1, keepdim=True), operator
    for m in range(1, most + 1):
        if m > basis.shape[1]:
            basis = torch.cat([basis, torch.empty_like(basis)], 1)
        basis[:, m - 1] = vector
        products[active] += 1
        rest, along = _orthogonal(apply @ vector, basis[:, :m])
        lengths = torch.linalg.vector_norm(rest, dim=1, keepdim=True)
        diagonal, length = torch.cat([along, lengths], 1).double().cpu().numpy().T
        finite = np.isfinite(length)
        tridiagonal[:, m - 1, m - 1] = np.where(finite, diagonal, 0.0)
        theta, mixed = _eigh(tridiagonal[:, :m, :m])
        theta, mixed = theta[:, : -wanted - 1 : -1], mixed[:, :, : -wanted - 1 : -1].swapaxes(1, 2)
        bounds = length[:, None] * np.abs(mixed[:, :, -1])
        ends = _near(theta, bounds, k, wanted, tolerance) | ~finite | (m == most)
        if ends.any():
            ended, count = active[ends], min(k, m)
            values[ended, :count] = np.where(finite[:, None], theta, np.nan)[ends, :k]
            residuals[ended, :count] = bounds[ends, :k]
            mixing = torch.from_numpy(mixed[ends]).to(start)
            vectors[ended, : min(wanted, m)] = torch.bmm(mixing, basis[torch.from_numpy(ends).to(start.device), :m])
            active, length, stay = (
                active[~ends],
                length[~ends],
                torch.from_numpy(np.flatnonzero(~ends)).to(start.device),
            )
            if not len(active):
                break
            theta, tridiagonal = theta[~ends], tridiagonal[~ends]
            basis, rest, lengths = basis[stay], rest[stay], lengths[stay]
            apply = _narrowed(operator, torch.from_numpy(active).to(start.device), runs)
        vector = rest / lengths
        stuck = length <= torch.finfo(start.dtype).eps * np.abs(theta).max(1)
        if stuck.any():  # the space is invariant: go on outside it
            noise = torch.randn(size, generator=torch.Generator().manual_seed(m), dtype=start.dtype).to(start.device)
            fresh, _ = _orthogonal(_orthogonal(noise.expand_as(rest), basis[:, :m])[0], basis[:, :m])
            chosen = torch.from_numpy(stuck).to(start.device).unsqueeze(1)
            vector = torch.where(chosen, fresh / fresh.norm(dim=1, keepdim=True), vector)
        tridiagonal[:, m, m - 1] = np.where(stuck, 0.0, length)
    again = vectors[:, :k].sum(1) + RUNNER_UP * vectors[:, k:].sum(1)
    moved = [torch.from_numpy(of).to(start) for of in (values, residuals)]
    return Ritz(moved[0], vectors[:, :k], moved[1], torch.from_numpy(products), again)


def _eigh(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues in rising order and eigenvectors as columns; LAPACK is not asked for those of one number."""
    return (matrices[:, 0], np.ones_like(matrices)) if matrices.shape[1] == 1 else np.linalg.eigh(matrices)


def _near(theta: np.ndarray, bounds: np.ndarray, k: int, wanted: int, tolerance: float) -> np.ndarray:
    """Which runs have k Ritz values with small residuals, and no next one whose interval reaches above the last."""
    if theta.shape[1] < wanted:
        return np.zeros(len(theta), bool)
    allowed = tolerance * np.abs(theta[:, :k])
    near = (bounds[:, :k] <= allowed).all(1)
    return near & (theta[:, k:] + bounds[:, k:] <= (theta[:, :k] + allowed)[:, -1:]).all(1)


@dataclass(frozen=True)
class _Padded:
    """An operator of `runs` runs on vectors of the runs `chosen` alone."""

    operator: Symmetric
    chosen: torch.Tensor
    runs: int

    def __matmul__(self, vectors: torch.Tensor) -> torch.Tensor:
        padded = vectors.new_zeros(self.runs, vectors.shape[1])
        padded[self.chosen] = vectors
        return (self.operator @ padded)[self.chosen]


def _narrowed(operator: Symmetric, chosen: torch.Tensor, runs: int) -> Symmetric:
    return operator.narrowed(chosen) if isinstance(operator, Narrowable) else _Padded(operator, chosen, runs)


def _orthogonal(vectors: torch.Tensor, basis: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What of `(runs, size)` is orthogonal to `(runs, m, size)`, and how much lay along the last of the m, `(runs, 1)`.

    Gram-Schmidt twice is enough to be orthogonal to rounding (Parlett and Kahan). All but the last two of the m are
    nearly orthogonal to a product with the last one by the Lanczos recurrence: the first pass needs these two only.
    """
    rows, last = vectors.unsqueeze(1), basis[:, -2:]
    recurrence = torch.bmm(rows, last.transpose(1, 2))
    rows = torch.baddbmm(rows, recurrence, last, alpha=-1)
    shares = torch.bmm(rows, basis.transpose(1, 2))
    rows = torch.baddbmm(rows, shares, basis, alpha=-1)
    return rows.squeeze(1), (recurrence[:, :, -1] + shares[:, :, -1])
