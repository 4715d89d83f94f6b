"""Annealed importance sampling from the normal base to a target, along U_beta = (1 - beta) U0 + beta U1.

Neal, Annealed importance sampling (2001), as in Cao & Vanden-Eijnden 2022 (arXiv 2206.09908): at the levels
beta_k = k / K, k = 1..K, the logarithm of the weight falls by U_{beta_k}(x) - U_{beta_{k-1}}(x), and then x makes one
move that keeps exp(-U_{beta_k}). The mean weight is Z1 / Z0. Every query of U1 or of its gradient is counted; each is
made once and kept until the sample moves.

All samples of all runs are moved together. Moves are a Metropolis-adjusted Langevin step (MALA), or a trajectory of
Hamiltonian Monte Carlo.
"""

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

# What is wrong on purpose with the moves: every proposal is accepted; proposals are taken for symmetric; the move keeps
# the density of the level before.
Ablation = Literal["none", "no-rejection", "no-proposal-ratio", "previous-level"]


class Density(Protocol):
    """A target by -U1; see `resodectl.numerics.sampling.targets`."""

    def with_gradient(self, x: Tensor, /) -> tuple[Tensor, Tensor]:
        """-U1 of places `(..., dim)` and its gradient, at the cost of one query of each."""


class Noise(Protocol):
    """Where random numbers come from, for all samples of all runs."""

    def normal(self, x: Tensor, /) -> Tensor:
        """Standard normal entries of the shape of `x`, `(runs, samples, dim)`."""

    def uniform(self, x: Tensor, /) -> Tensor:
        """Entries uniform on [0, 1), `(runs, samples)`."""


class Langevin(NamedTuple):
    """y = x - step grad U + sqrt(2 step) xi, accepted by Metropolis and Hastings; 2 queries a move."""

    step: float = 0.1

    @property
    def queries(self) -> int:
        return 2


class Hamiltonian(NamedTuple):
    """A trajectory of leapfrog steps from fresh normal momenta, accepted by Metropolis.

    A move queries the gradient at each leapfrog step, and U1 at the last.
    """

    step: float = 0.2
    leaps: int = 5

    @property
    def queries(self) -> int:
        return self.leaps + 1


Moves = Langevin | Hamiltonian


class Chains(NamedTuple):
    """The state of all samples of all runs."""

    x: Tensor  # (runs, samples, dim)
    density: Tensor  # -U1 at x, (runs, samples)
    gradient: Tensor  # of -U1 at x, (runs, samples, dim)
    log_weight: Tensor  # (runs, samples)


class Annealed(NamedTuple):
    """What annealing gives."""

    x: Tensor  # the last places, (runs, samples, dim): samples of the target if weighted
    log_weight: Tensor  # (runs, samples); their mean weight is Z1 / Z0
    acceptance: Tensor  # accepted share of all moves, (runs,)
    queries: int  # of U1 and of its gradient, by each sample


def queries(levels: int, moves: Moves) -> int:
    """Queries of U1 and of its gradient that each sample makes.

    >>> queries(100, Langevin()), queries(40, Hamiltonian(leaps=4))
    (202, 202)
    """
    return 2 + levels * moves.queries


def anneal(
    target: Density, x: Tensor, levels: int, moves: Moves, noise: Noise, ablation: Ablation = "none"
) -> Annealed:
    """Annealed importance sampling of all runs at once; see above.

    Args:
        target: -U1 and its gradient.
        x: samples of the normal base, `(runs, samples, dim)`.
        levels: K.
        moves: the move that each level makes.
        noise: the random numbers of the moves.
        ablation: what is wrong on purpose. A Hamiltonian trajectory has no proposal ratio to leave out.
    """
    chains, accepted = begin(target, x), x.new_zeros(x.shape[0])
    for beta, before in schedule(levels):
        chains = reweigh(chains, beta - before)
        kept = before if ablation == "previous-level" else beta
        chains, share = move(target, chains, kept, moves, noise, ablation)
        accepted += share / levels
    return Annealed(chains.x, chains.log_weight, accepted, queries(levels, moves))


def schedule(levels: int) -> Iterator[tuple[float, float]]:
    """Each beta_k = k / K with the one before it.

    >>> list(schedule(2))
    [(0.5, 0.0), (1.0, 0.5)]
    """
    for level in range(1, levels + 1):
        yield level / levels, (level - 1) / levels


def begin(target: Density, x: Tensor) -> Chains:
    """Chains at samples of the base; 2 queries a sample."""
    density, gradient = target.with_gradient(x)
    return Chains(x, density, gradient, torch.zeros_like(density))


def reweigh(chains: Chains, difference: float) -> Chains:
    """The chains with the weight of a step in beta."""
    base = -0.5 * chains.x.square().sum(-1)
    return chains._replace(log_weight=chains.log_weight + difference * (chains.density - base))


def move(
    target: Density, chains: Chains, beta: float, moves: Moves, noise: Noise, ablation: Ablation = "none"
) -> tuple[Chains, Tensor]:
    """One move that keeps exp(-U_beta), and the accepted share of each run, `(runs,)`."""
    if isinstance(moves, Hamiltonian):
        proposed, log_ratio = _hamiltonian(target, chains, beta, moves, noise)
    else:
        proposed, log_ratio = _langevin(target, chains, beta, moves, noise, ablation != "no-proposal-ratio")
    accepted = noise.uniform(log_ratio).log() < log_ratio
    if ablation == "no-rejection":
        accepted = torch.ones_like(accepted)
    wide = accepted.unsqueeze(-1)
    return Chains(
        torch.where(wide, proposed.x, chains.x),
        torch.where(accepted, proposed.density, chains.density),
        torch.where(wide, proposed.gradient, chains.gradient),
        chains.log_weight,
    ), accepted.to(chains.x).mean(-1)


def _slope(x: Tensor, gradient: Tensor, beta: float) -> Tensor:
    """-grad U_beta."""
    return beta * gradient - (1 - beta) * x


def _height(x: Tensor, density: Tensor, beta: float) -> Tensor:
    """-U_beta."""
    return beta * density - (1 - beta) * 0.5 * x.square().sum(-1)


def _langevin(
    target: Density, at: Chains, beta: float, moves: Langevin, noise: Noise, hastings: bool
) -> tuple[Chains, Tensor]:
    step, drawn = moves.step, noise.normal(at.x)
    y = at.x + step * _slope(at.x, at.gradient, beta) + math.sqrt(2 * step) * drawn
    proposed = Chains(y, *target.with_gradient(y), at.log_weight)
    log_ratio = _height(y, proposed.density, beta) - _height(at.x, at.density, beta)
    if hastings:
        back = at.x - y - step * _slope(y, proposed.gradient, beta)
        log_ratio = log_ratio + 0.5 * drawn.square().sum(-1) - back.square().sum(-1) / (4 * step)
    return proposed, log_ratio


def _hamiltonian(target: Density, at: Chains, beta: float, moves: Hamiltonian, noise: Noise) -> tuple[Chains, Tensor]:
    step, x, density, gradient = moves.step, at.x, at.density, at.gradient
    momentum = noise.normal(x)
    start = _height(x, density, beta) - 0.5 * momentum.square().sum(-1)
    for _ in range(moves.leaps):
        momentum = momentum + step / 2 * _slope(x, gradient, beta)
        x = x + step * momentum
        density, gradient = target.with_gradient(x)
        momentum = momentum + step / 2 * _slope(x, gradient, beta)
    end = _height(x, density, beta) - 0.5 * momentum.square().sum(-1)
    return Chains(x, density, gradient, at.log_weight), end - start
