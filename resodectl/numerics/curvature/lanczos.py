"""The largest algebraic eigenvalues of symmetric operators of several runs at once, by band Lanczos with a warm start.

Band Lanczos (Ruhe, Math. Comp. 33, 1979) with full reorthogonalisation: block Lanczos, one product at a time. A Ritz
pair (theta, y) of the projected matrix T_m with eigenvector s has the residual |A y - theta y| = |B_m s|, B_m the
coupling of the m vectors to those that wait for their product; with one start that is beta_m |s_m| (Parlett, The
Symmetric Eigenvalue Problem, 1998, chapter 13). It bounds the distance to an eigenvalue: the iteration stops on it,
and returns it. (Stopping when theta changes little instead ends too early, where theta rises slowly, and biases it
downwards.)

What is sure: k orthonormal vectors with residuals r lie near k eigenvalues, each counted as often as it is repeated.
What is not: that no larger one was missed. No number of products proves that. A Krylov space of one start holds one
vector of each eigenspace, however often its eigenvalue is repeated, so k eigenvalues are looked for from k starts:
from Gaussian ones, multiplicities up to k are found with probability one.

scipy's `eigsh` (ARPACK) is the usual choice. It works on one run, starts every cycle with as many products as its
basis is wide (20), however good its start, and says nothing of the error. Along training the last eigenvectors are
nearly the next ones, so that a few products are enough; and its default, the largest magnitude (the code of Cohen et
al. 2021), finds negative eigenvalues. Power iteration (the code of Arora et al. 2022) finds those too, and needs many
times the products.

A start at the last eigenvectors alone does not see another eigenvalue overtake them: the residual is small all the
same, and where symmetry keeps the two apart (odd and even functions), for hundreds of steps of training. So the start
for the next operator also holds some of the runner-up, the Ritz vector after the last one asked for, which nears its
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

    values: torch.Tensor  # (runs, k): the i-th is never above the i-th eigenvalue, up to rounding
    vectors: torch.Tensor  # (runs, k, size), of norm one
    residuals: torch.Tensor  # (runs, k): an eigenvalue is at most so far away
    products: torch.Tensor  # (runs,): how many products it took, int64
    start: torch.Tensor  # (runs, k, size): a start for operators not far from these


@torch.no_grad()
def largest(operator: Symmetric, start: torch.Tensor, tolerance: float = 1e-3, most: int = 100) -> Ritz:
    """The k largest eigenvalues of every run, to residuals of at most `tolerance` times the value, if `most` products
    are enough; the residuals tell.

    Args:
        start: `(runs, k, size)`: the last `start` along a training, or Gaussian. What all k are orthogonal to stays
            unseen, and so do repetitions of an eigenvalue beyond k.

    Runs that have converged are left out of further products if the operator is `Narrowable`, else they are given
    zeros; in neither case are they counted.

    >>> class Diagonal:
    ...     def __matmul__(self, vectors):
    ...         return torch.tensor([[1.0, 4.0, 4.0, 2.0]]) * vectors
    >>> start = torch.tensor([[[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, -1.0, -1.0]]])
    >>> largest(Diagonal(), start).values.round(decimals=5)
    tensor([[4., 4.]])
    """
    runs, starts, size = start.shape
    most = min(most, size)
    k = min(starts, most)
    wanted = min(k + 1, most)  # the runner-up too
    values, residuals = np.full((runs, k), np.nan), np.full((runs, k), np.nan)
    products, active = np.zeros(runs, int), np.arange(runs)
    vectors, basis = start.new_zeros(runs, wanted, size), _orthonormal(start)
    known = band = basis.shape[1]
    projected = np.zeros((runs, most + band, most))  # the lower triangle; small: on the CPU, in float64
    apply = operator
    for m in range(1, most + 1):
        products[active] += 1
        rest, along = _orthogonal(apply @ basis[:, m - 1].contiguous(), basis[:, :known], 2 * band)
        lengths = torch.linalg.vector_norm(rest, dim=1, keepdim=True)
        column = torch.cat([along[:, m - 1 - known :], lengths], 1).double().cpu().numpy()
        finite, length = np.isfinite(column).all(1), column[:, -1].copy()
        projected[:, m - 1 : known + 1, m - 1] = np.where(finite[:, None], column, 0.0)
        theta, mixed = _eigh(projected[:, :m, :m])
        theta, mixed = theta[:, : -wanted - 1 : -1], mixed[:, :, : -wanted - 1 : -1]
        bounds = np.linalg.norm(projected[:, m : m + band, :m] @ mixed, axis=1)
        ends = _near(theta, bounds, k, wanted, tolerance) | ~finite | (m == most)
        if ends.any():
            ended, count = active[ends], min(k, m)
            values[ended, :count] = np.where(finite[:, None], theta, np.nan)[ends, :k]
            residuals[ended, :count] = bounds[ends, :k]
            mixing = torch.from_numpy(mixed[ends].swapaxes(1, 2)).to(start)
            vectors[ended, : min(wanted, m)] = torch.bmm(mixing, basis[torch.from_numpy(ends).to(start.device), :m])
            stay, active = torch.from_numpy(np.flatnonzero(~ends)).to(start.device), active[~ends]
            if not len(active):
                break
            theta, projected, length = theta[~ends], projected[~ends], length[~ends]
            basis, rest, lengths = basis[stay], rest[stay], lengths[stay]
            apply = _narrowed(operator, torch.from_numpy(active).to(start.device), runs)
        if known < size:
            stuck = length <= torch.finfo(start.dtype).eps * np.abs(theta).max(1)  # the space is invariant
            projected[stuck, known, m - 1] = 0.0
            if known == basis.shape[1]:
                basis = torch.cat([basis, basis.new_empty(len(basis), max(known, ROOM), size)], 1)
            basis[:, known] = _replaced(rest / lengths, basis[:, :known], stuck)
            known += 1
    again = vectors[:, :k].clone()
    again[:, -1] += RUNNER_UP * vectors[:, k:].sum(1)
    moved = [torch.from_numpy(of).to(start) for of in (values, residuals)]
    return Ritz(moved[0], vectors[:, :k], moved[1], torch.from_numpy(products), again)


def _orthonormal(start: torch.Tensor) -> torch.Tensor:
    """As many orthonormal vectors `(runs, min(k, size), size)`, the first of which span what `start` spans."""
    basis = start[:, :0]
    for vector in start[:, : start.shape[2]].unbind(1):
        rest, _ = _orthogonal(vector, basis)
        lengths = torch.linalg.vector_norm(rest, dim=1, keepdim=True)
        stuck = (lengths <= torch.finfo(start.dtype).eps * vector.norm(dim=1, keepdim=True)).squeeze(1).cpu().numpy()
        basis = torch.cat([basis, _replaced(rest / lengths, basis, stuck).unsqueeze(1)], 1)
    return basis


def _replaced(vectors: torch.Tensor, basis: torch.Tensor, stuck: np.ndarray) -> torch.Tensor:
    """`vectors` `(runs, size)`, with a random direction outside the basis where a run is stuck."""
    if not stuck.any():
        return vectors
    generator = torch.Generator().manual_seed(basis.shape[1])
    noise = torch.randn(vectors.shape[1], generator=generator, dtype=vectors.dtype).to(vectors.device)
    fresh, _ = _orthogonal(noise.expand_as(vectors), basis)
    chosen = torch.from_numpy(stuck).to(vectors.device).unsqueeze(1)
    return torch.where(chosen, fresh / fresh.norm(dim=1, keepdim=True), vectors)


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


def _orthogonal(vectors: torch.Tensor, basis: torch.Tensor, near: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """What of `(runs, size)` is orthogonal to `(runs, m, size)`, and how much lay along the last `near` of the m.

    Gram-Schmidt twice is enough to be orthogonal to rounding (Parlett and Kahan). A product with a vector of the basis
    is nearly orthogonal to all but the last `near` of the m by the recurrence: the first pass needs these only. Where
    nothing is known, `near` is 0, and stands for all.
    """
    rows, last = vectors.unsqueeze(1), basis[:, -near:]
    recurrence = torch.bmm(rows, last.transpose(1, 2))
    rows = torch.baddbmm(rows, recurrence, last, alpha=-1)
    shares = torch.bmm(rows, basis.transpose(1, 2))
    rows = torch.baddbmm(rows, shares, basis, alpha=-1)
    return rows.squeeze(1), (recurrence + shares[:, :, -near:]).squeeze(1)
