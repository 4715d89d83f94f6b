"""Which share of the mean weight a run of non-equilibrium importance sampling has not seen, without the exact mean.

A run that misses a mode looks like success: its weights vary little. The estimate of Cao & Vanden-Eijnden 2022
(arXiv 2206.09908) is unbiased all the same, for the mode stands in rare samples x of the base with huge weights A(x).
Going backwards finds them. If y is a sample of the target, and x = X_{-t}(y) with t drawn from the density
F^0_{-t}(y) / int F^0_{-s}(y) ds over [t-, t+], then x has the density rho_0 A / R: the law of the base, biased by A.
(With B_t(x) = int F^0_s(x) ds over [t - t+, t - t-] and F^0_s(x) = F^0_{s-t}(y) J_t(x), the integrand of A becomes that
density.) The share of these x whose weight is above the largest weight of a run is E[A 1{A > largest}] / R: what is
missing in a run whose samples are all below. Samples of the target come from an independent annealing, of which only
the relative weights count.
"""

import math
from typing import NamedTuple

from torch import Tensor

from resodectl.numerics.sampling.flows import LogDensity, from_centre, path, window_start
from resodectl.numerics.sampling.targets import log_base
from resodectl.numerics.sampling.velocities import Velocity


class Share(NamedTuple):
    """A share in [0, 1] with its standard error, `(runs,)` each."""

    value: Tensor
    error: Tensor


def backwards(
    velocity: Velocity, y: Tensor, drawn: Tensor, steps: int, start: float = 0.0, base: LogDensity = log_base
) -> Tensor:
    """Points of the density rho_0 A / R, from samples of the target.

    Args:
        velocity: the field b.
        y: samples of the target, `(runs, samples, dim)`.
        drawn: uniform on [0, 1), `(runs, samples)`.
        steps: steps N per unit of time.
        start: t- in [-1, 0], a multiple of 1 / N.
        base: -U0.

    Returns:
        `(runs, samples, dim)`.

    Raises:
        ValueError: t- is not in [-1, 0], or no multiple of 1 / N.
    """
    first = steps - window_start(start, steps)  # the node of -t+
    nodes = path(velocity, y, steps)
    log_f0 = base(nodes) + from_centre(velocity.divergence(nodes), 1 / steps)
    window = log_f0[first : first + steps + 1].clone()
    window[0] -= math.log(2)
    window[-1] -= math.log(2)
    shares = window.softmax(0).cumsum(0)
    chosen = (shares < drawn * shares[-1]).sum(0).clamp_max(steps) + first
    places = chosen.expand(1, *chosen.shape).unsqueeze(-1).expand(-1, -1, -1, y.shape[-1])
    return nodes.gather(0, places).squeeze(0)


def unseen(largest: Tensor, log_biased: Tensor, log_annealed: Tensor) -> Share:
    """The share of the mean weight that stands in weights above the largest one of a run.

    Args:
        largest: log of the largest weight of each run, `(runs,)`.
        log_biased: log A at the points that `backwards` gives, `(runs, samples)`; NaN counts as not seen.
        log_annealed: log of the annealed weights of the samples of the target, `(runs, samples)`.
    """
    weights = log_annealed.softmax(-1)
    above = (~(log_biased <= largest.unsqueeze(-1))).to(weights)
    share = (weights * above).sum(-1)
    error = (weights.square() * (above - share.unsqueeze(-1)).square()).sum(-1).sqrt()
    return Share(share, error)
