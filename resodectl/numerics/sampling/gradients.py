"""The gradient of the second moment of the weights by the weights of a field, exact for the discretised flow.

Cao & Vanden-Eijnden 2022 (arXiv 2206.09908) train the field on M(b) = E_0[A^2] = Var A + R^2. This is reverse-mode
differentiation by hand, through the trapezoidal rule in the log domain and through the Runge-Kutta steps.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from resodectl.numerics.sampling.flows import both_ways, log_terms, signed_steps, window_start
from resodectl.numerics.sampling.targets import Target, log_base
from resodectl.numerics.sampling.velocities import Trainable

FAR = 1e100  # points beyond it are lost: their squares would soon be no numbers


class Moment(NamedTuple):
    """What a gradient is taken of, and the gradient."""

    log_weights: Tensor  # log A, (runs, samples); NaN of a lost sample
    gradients: list[Tensor]  # one for each of the field's weights, up to a positive factor of each run


class Stage(NamedTuple):
    """A place at which a Runge-Kutta step takes the field, and what the field computes there."""

    x: Tensor  # (runs, 2 * samples, dim): each sample forwards, then each backwards
    inside: tuple[Tensor, ...]


@torch.no_grad()
def second_moment(velocity: Trainable, target: Target, x: Tensor, steps: int, start: float = 0.0) -> Moment:
    """log A of samples, as `flows.log_weights` has it, and the direction of the gradient of their mean A^2.

    The gradient of each run is divided by the square of its largest A, so that it neither overflows nor vanishes.
    Samples whose path is lost have no part in it.

    Args:
        velocity: the field b.
        target: the target, of which the density and its gradient are taken at the N + 1 nodes in [t-, t+].
        x: samples of the base, `(runs, samples, dim)`.
        steps: steps N per unit of time.
        start: t- in [-1, 0], a multiple of 1 / N.
    """
    first = window_start(start, steps)
    step = signed_steps(x, 1 / steps)
    stages = _walk(velocity, torch.cat([x, x], -2), step, steps)
    lost = torch.stack(((~(stages[-1][0].x.abs() < FAR)).any(-1)).chunk(2, -1)).any(0)  # (runs, samples)
    if lost.any():
        gone = torch.cat([lost, lost], -1).unsqueeze(-1)
        stages = [[_at(velocity, torch.where(gone, 0.0, of.x)) for of in step_of] for step_of in stages]
    nodes = both_ways(torch.stack([of[0].x for of in stages]))
    divergence = both_ways(torch.stack([velocity.trace(*of[0]) for of in stages]).unsqueeze(-1)).squeeze(-1)
    window = slice(first, first + steps + 1)
    density, gradient = target.with_gradient(nodes[window])
    terms, log_f0, log_b = log_terms(divergence, density, nodes, first, log_base)

    log_a = torch.where(lost, torch.nan, terms.logsumexp(0))
    scale = torch.where(log_a.isfinite(), log_a, -torch.inf).amax(-1, keepdim=True)
    shares = torch.where(lost | ~scale.isfinite(), -torch.inf, terms - scale).exp()
    of_terms = 2 / x.shape[1] * shares.sum(0) * shares
    of_log_f0 = _of_log_windows(of_terms, log_f0, log_b)
    of_nodes = -of_log_f0.unsqueeze(-1) * nodes
    of_nodes[window] += of_terms.unsqueeze(-1) * gradient
    of_log_f0[window] += of_terms  # F^0 and F^1 share the Jacobian
    of_divergence = _of_from_centre(of_log_f0, 1 / steps)
    return Moment(log_a, _pull_back(velocity, stages, _beside(of_nodes), _beside(of_divergence), step))


def _at(velocity: Trainable, x: Tensor) -> Stage:
    return Stage(x, velocity.inside(x))


def _walk(velocity: Trainable, x: Tensor, step: Tensor, steps: int) -> list[list[Stage]]:
    """The four stages of each step of the classical Runge-Kutta method, and one of the last node."""
    walked = []
    for _ in range(steps):
        stages, sums = [_at(velocity, x)], torch.zeros_like(x)
        for weight, reach in ((1, 0.5), (2, 0.5), (2, 1.0)):
            slope = velocity.value(*stages[-1])
            sums.add_(slope, alpha=weight)
            stages.append(_at(velocity, torch.addcmul(x, step, slope, value=reach)))
        x = torch.addcmul(x, step, sums.add_(velocity.value(*stages[-1])), value=1 / 6)
        walked.append(stages)
    return [*walked, [_at(velocity, x)]]


def _pull_back(
    velocity: Trainable, walked: list[list[Stage]], of_nodes: Tensor, of_divergence: Tensor, step: Tensor
) -> list[Tensor]:
    """The gradients by the field's weights, of those by the nodes of the path and by the divergences there."""
    after, total = velocity.pull_back(*walked[-1][0], torch.zeros_like(of_nodes[-1]), of_divergence[-1])
    after = after + of_nodes[-1]
    for n in range(len(walked) - 2, -1, -1):
        sums, before = after + of_nodes[n], torch.zeros_like(after)
        # The fourth slope enters with step / 6, the third with step / 3 and the fourth's place by step, and so on.
        for stage, share, reach in ((3, 1 / 6, 0.0), (2, 1 / 3, 1.0), (1, 1 / 3, 0.5), (0, 1 / 6, 0.5)):
            vectors = step * torch.add(share * after, before, alpha=reach)
            before, new = velocity.pull_back(*walked[n][stage], vectors, None if stage else of_divergence[n])
            sums.add_(before)
            for sum_of, of in zip(total, new, strict=True):
                sum_of.add_(of)
        after = sums
    return total


def _of_log_windows(of_terms: Tensor, log_f0: Tensor, log_b: Tensor) -> Tensor:
    """The gradient by log F^0, of gradients a_k >= 0 by the logarithms of the terms F^1_k / B_k.

    The node i gets -F^0_i times the sum of a_k / B_k over the windows [k, k + N] that hold the areas beside it.
    """
    steps = log_b.shape[0] - 1
    logs = of_terms.log() - log_b
    before = torch.logcumsumexp(logs, 0)  # of the area i < N: the windows k <= i
    after = torch.logcumsumexp(logs.flip(0), 0).flip(0)  # of the area N + j: the windows k > j
    of_areas = torch.cat([before[:-1], after[1:]])
    beside = torch.cat([of_areas[:1], torch.logaddexp(of_areas[1:], of_areas[:-1]), of_areas[-1:]])
    return -(log_f0 + beside - math.log(2 * steps)).exp()


def _of_from_centre(of_integrals: Tensor, step: float) -> Tensor:
    """The gradient by the integrand, of gradients by `flows.from_centre`."""
    middle = of_integrals.shape[0] // 2
    before = -of_integrals[:middle].cumsum(0)
    after = of_integrals[middle + 1 :].flip(0).cumsum(0).flip(0)
    areas = torch.cat([before, after])
    return step / 2 * torch.cat([areas[:1], areas[1:] + areas[:-1], areas[-1:]])


def _beside(along: Tensor) -> Tensor:
    """Values along a path, `(2 steps + 1, runs, samples, ...)`, as it was walked: both ways beside each other.

    What belongs to the middle node stands in both halves; half of it is given to each.
    """
    steps = along.shape[0] // 2
    halves = torch.cat([along[steps:], along[: steps + 1].flip(0)], 2)
    halves[0] /= 2
    return halves
