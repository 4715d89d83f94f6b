"""Finite-time weights by one joint ODE, as the paper integrates its first two examples (`ode` in its code).

Cao & Vanden-Eijnden 2022 (arXiv 2206.09908). Paths, Jacobians, B and A are one state, so that U1 is evaluated at each
of the 4 N stages; `flows.log_weights` needs N + 1 evaluations. The order is 4, that of the trapezoidal rule is 2.
"""

import math

import torch
from torch import Tensor

from resodectl.numerics.ode.runge_kutta import runge_kutta_step
from resodectl.numerics.ode.tableaux import RK4
from resodectl.numerics.sampling.flows import LogDensity, window_start
from resodectl.numerics.sampling.targets import log_base
from resodectl.numerics.sampling.velocities import Velocity


def joint_log_weights(
    velocity: Velocity,
    target: LogDensity,
    x: Tensor,
    steps: int,
    *,
    start: float = 0.0,
    base: LogDensity = log_base,
) -> Tensor:
    """log A in finite time by the classical Runge-Kutta method for paths, log Jacobians, log B and A together.

    Backwards from 0 to -1, B_{t-} is summed; then the points at t, t - t- and t - t+ go forwards for a unit of time,
    with (log B)' = (F^0_{t - t-} - F^0_{t - t+}) / B and A' = F^1_t / B.

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
    shares = [math.log(weight / steps) for weight in RK4.weights]
    visited = [_pack(x, torch.zeros_like(x[..., 0]))]
    logs: list[Tensor] = []

    def moved(state: Tensor) -> tuple[Tensor, Tensor]:
        """The slope of points with their log Jacobians, `(..., dim + 1)`, and log F^0."""
        places, log_jacobian = state[..., :-1], state[..., -1]
        return _pack(velocity(places), velocity.divergence(places)), base(places) + log_jacobian

    def backwards(state: Tensor, _: float) -> Tensor:
        slope, log_f0 = moved(state)
        logs.append(log_f0 + shares[len(logs) % len(shares)])
        return slope

    first = window_start(start, steps)
    for _ in range(steps):
        visited.append(runge_kutta_step(backwards, visited[-1], 0.0, -1 / steps))
    lead, at, lag = 0, steps - first, steps  # steps before 0 at which the three points begin
    begun = sorted({lead, at, lag})
    rows = [begun.index(steps_before) for steps_before in (lead, at, lag)]
    state = torch.stack([visited[steps_before] for steps_before in begun])
    # log B stands beside the points as one more row, so that all of it is one tensor.
    log_b = torch.logsumexp(torch.stack(logs), 0)
    width = x.shape[-1] + 1
    terms: list[Tensor] = []

    def forwards(joint: Tensor, _: float) -> Tensor:
        state, log_b = joint[:-1], joint[-1, ..., 0]
        slope, log_f0 = moved(state)
        now = state[rows[1]]
        terms.append(target(now[..., :-1]) + now[..., -1] - log_b + shares[len(terms) % len(shares)])
        change = (log_f0[rows[0]] - log_b).exp() - (log_f0[rows[2]] - log_b).exp()
        return torch.cat([slope, change.unsqueeze(-1).expand(-1, -1, width).unsqueeze(0)])

    joint = torch.cat([state, log_b.unsqueeze(-1).expand(-1, -1, width).unsqueeze(0)])
    for _ in range(steps):
        joint = runge_kutta_step(forwards, joint, 0.0, 1 / steps)
    return torch.logsumexp(torch.stack(terms), 0)


def _pack(places: Tensor, values: Tensor) -> Tensor:
    return torch.cat([places, values.unsqueeze(-1)], -1)
