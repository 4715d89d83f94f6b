"""Non-equilibrium importance sampling: weights of samples that are carried along a flow, in the log domain.

Cao & Vanden-Eijnden 2022 (arXiv 2206.09908). A sample x of the base exp(-U0) is moved by dX/dt = b(X) both ways in
time, with the Jacobian J_t = exp(int_0^t div b(X_s) ds), and F^k_t = exp(-U_k(X_t)) J_t. The mean over the base of

    A = int_{t-}^{t+} F^1_t / B_t dt,   B_t = int_{t-t+}^{t-t-} F^0_s ds,   t+ = t- + 1      (finite time)
    A = int F^1_t dt / int F^0_t dt over the whole line                                      (infinite time)

is Z1 / Z0 for every b. Densities are given as logarithms, -U_k, and weights as log A; a sample whose path leaves the
numbers has the weight NaN.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from resodectl.numerics.ode.runge_kutta import runge_kutta_step
from resodectl.numerics.sampling.targets import log_base
from resodectl.numerics.sampling.velocities import Velocity

LogDensity = Callable[[Tensor], Tensor]  # points (..., dim) -> (...)


def path(velocity: Velocity, x: Tensor, steps: int, horizon: float = 1.0) -> Tensor:
    """The flow of points at the times -horizon, ..., 0, ..., horizon: `steps` steps each way, both ways at once.

    Args:
        velocity: the field b.
        x: points at the time 0, `(runs, samples, dim)`.
        steps: steps from 0 to the horizon.
        horizon: the last time.

    Returns:
        `(2 * steps + 1, runs, samples, dim)`.
    """
    nodes = [torch.cat([x, x], -2)]
    step = signed_steps(x, horizon / steps)
    for _ in range(steps):
        nodes.append(runge_kutta_step(lambda here, _: velocity(here), nodes[-1], 0.0, step))
    return both_ways(torch.stack(nodes))


def signed_steps(x: Tensor, step: float) -> Tensor:
    """The steps `(2 * samples, 1)` of points that stand twice: the first time forwards, the second time backwards."""
    ones = x.new_ones(x.shape[-2], 1)
    return torch.cat([step * ones, -step * ones])


def both_ways(nodes: Tensor) -> Tensor:
    """Nodes `(steps + 1, runs, 2 * samples, dim)`, forwards and backwards beside each other, in the order of time."""
    forwards, backwards = nodes.chunk(2, -2)
    return torch.cat([backwards[1:].flip(0), forwards])


def log_weights(
    velocity: Velocity,
    target: LogDensity,
    x: Tensor,
    steps: int,
    *,
    start: float = 0.0,
    base: LogDensity = log_base,
) -> Tensor:
    """log A in finite time by the trapezoidal rule along a Runge-Kutta path (`int` in the paper's code).

    The target is evaluated at the steps + 1 nodes in [t-, t+] only, where the joint ODE takes 4 * steps.

    Args:
        velocity: the field b.
        target: -U1.
        x: samples of the base, `(runs, samples, dim)`.
        steps: steps N per unit of time.
        start: t- in [-1, 0], a multiple of 1 / N.
        base: -U0.

    Returns:
        `(runs, samples)`.

    Raises:
        ValueError: t- is not in [-1, 0], or no multiple of 1 / N.
    """
    first = window_start(start, steps)
    nodes = path(velocity, x, steps)
    density = target(nodes[first : first + steps + 1])
    return log_terms(velocity.divergence(nodes), density, nodes, first, base).values.logsumexp(0)


def window_start(start: float, steps: int) -> int:
    """The node of t- among the 2 N + 1 nodes of [-1, 1].

    Raises:
        ValueError: t- is not in [-1, 0], or no multiple of 1 / N.
    """
    before = -start * steps
    if not 0 <= before <= steps or abs(before - round(before)) > 1e-9:
        raise ValueError(f"the window starts at {start}: it must be a multiple of 1/{steps} in [-1, 0]")
    return steps - round(before)


class Terms(NamedTuple):
    """The terms of the trapezoidal rule for A, in logarithms; nodes are those of [-1, 1]."""

    values: Tensor  # of the terms F^1 / B with their weights: their sum is A; (steps + 1, runs, samples)
    f0: Tensor  # log F^0, (2 * steps + 1, runs, samples)
    b: Tensor  # log B, (steps + 1, runs, samples)


def log_terms(divergence: Tensor, density: Tensor, nodes: Tensor, first: int, base: LogDensity) -> Terms:
    """The terms of the trapezoidal rule for A.

    Args:
        divergence: div b at the nodes, `(2 * steps + 1, runs, samples)`.
        density: -U1 at the nodes in [t-, t+], `(steps + 1, runs, samples)`.
        nodes: a path on [-1, 1], `(2 * steps + 1, runs, samples, dim)`.
        first: the node of t-.
        base: -U0.
    """
    steps = nodes.shape[0] // 2
    log_jacobian = from_centre(divergence, 1 / steps)
    log_f0 = base(nodes) + log_jacobian
    log_f1 = density + log_jacobian[first : first + steps + 1]
    weights = log_f1.new_full((steps + 1, 1, 1), -math.log(steps))
    weights[0] = weights[-1] = -math.log(2 * steps)
    log_b = log_windows(log_f0)
    return Terms(weights + log_f1 - log_b, log_f0, log_b)


def from_centre(values: Tensor, step: float) -> Tensor:
    """The cumulative trapezoidal rule from the middle node, along the first dimension: negative integrals before it.

    >>> from_centre(torch.ones(5), 0.5).tolist()
    [-1.0, -0.5, 0.0, 0.5, 1.0]
    """
    middle = values.shape[0] // 2
    areas = step / 2 * (values[1:] + values[:-1])
    before = -areas[:middle].flip(0).cumsum(0).flip(0)
    return torch.cat([before, torch.zeros_like(values[:1]), areas[middle:].cumsum(0)])


def log_windows(log_values: Tensor) -> Tensor:
    """The logarithms of the integrals over the windows [k, k + N] of the 2 N + 1 nodes of [-1, 1]: B_t, N + 1 of them.

    Each window holds the middle node. Its two sides are summed outwards from there, so that nothing is subtracted: a
    difference of one cumulative sum would be lost where the integrand is largest outside the window.

    >>> log_windows(torch.zeros(5)).exp().tolist()
    [1.0, 1.0, 1.0]
    """
    steps = log_values.shape[0] // 2
    areas = torch.logaddexp(log_values[1:], log_values[:-1]) - math.log(2 * steps)
    before = torch.logcumsumexp(areas[:steps].flip(0), 0).flip(0)  # from the node k to the middle
    after = torch.logcumsumexp(areas[steps:], 0)  # from the middle to the node k + N
    return torch.cat([before[:1], torch.logaddexp(before[1:], after[:-1]), after[-1:]])


def infinite_log_weights(
    velocity: Velocity, target: LogDensity, x: Tensor, steps: int, horizon: float, base: LogDensity = log_base
) -> Tensor:
    """log A in infinite time, both integrals cut at -horizon and horizon.

    Args:
        velocity: the field b.
        target: -U1.
        x: samples of the base, `(runs, samples, dim)`.
        steps: steps from 0 to the horizon.
        horizon: where the integrals are cut.
        base: -U0.

    Returns:
        `(runs, samples)`.
    """
    nodes = path(velocity, x, steps, horizon)
    log_jacobian = from_centre(velocity.divergence(nodes), horizon / steps)
    above, below = (log_integral(log_density(nodes) + log_jacobian) for log_density in (target, base))
    return above - below


def log_integral(log_values: Tensor) -> Tensor:
    """The logarithm of the trapezoidal rule with steps of 1 along the first dimension.

    >>> log_integral(torch.zeros(3)).exp().item()
    2.0
    """
    return torch.logsumexp(torch.logaddexp(log_values[1:], log_values[:-1]), 0) - math.log(2)
