"""Deep residual networks and their limits on the same weights and paths: states, Jacobians and loss gradients.

Cohen, Cont, Rossier & Xu 2021 (arXiv 2105.12245) and Cont, Rossier & Xu 2022 (arXiv 2212.08199). The limits of
h_{k+1} = h_k + L^-alpha sigma(A_k h_k + b_k), sigma(0) = 0, sigma'(0) = 1, and of the Jacobian dh_k/dx:
- alpha = 1, beta = 0: dH = sigma(A H + b) dt, dJ = diag(sigma'(A H + b)) A J dt;
- alpha + beta = 1, alpha < 1: dH = (A H + b) dt, dJ = A J dt;
- alpha = 0, beta = 1 and Brownian increments of sizes s in A and r in b: dH = dW H + dB + (A H + b) dt
  + sigma''(0)/2 Q(H) dt with Q_i(x) = s^2 |x|^2 + r^2, and dJ = dW J + (A + sigma''(0)/2 dQ/dx) J dt (Ito).
The loss gradient at time t is (J_1 J_t^-1)^T grad l(H_1), for a network too; the loss here is |H_1 - y|^2 / 2.

A state and its Jacobian travel together as X = [h, J], `(..., seeds, paths, dim, 1 + dim)`. All processes are compared
at the times of the shallowest network's layers, and paths are drawn from one of these times to the next.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.scaling.limits.spec import Point
from resodectl.numerics.draws import normal
from resodectl.numerics.networks.activations import ACTIVATIONS, Activation
from resodectl.numerics.ode.ito import euler_maruyama
from resodectl.numerics.ode.runge_kutta import runge_kutta
from resodectl.numerics.weights.depth import smooth_at

REFINED = 512  # Runge-Kutta steps on [0, 1], at least


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    point = cell.point
    activation = ACTIVATIONS[point.activation]
    coarse = min(point.depths)
    start = _start(point, context)
    drifts = (0.5, 0.0, 1.0) if point.limit == "ito-sde" else (0.0,)
    snapshots: dict[int, list[torch.Tensor]] = {depth: [start] for depth in point.depths}
    weights = {depth: smooth_weights(point, context, torch.arange(depth) / depth) for depth in point.depths}
    streams = context.streams("paths")
    if point.limit == "ito-sde":
        steps = torch.arange(point.reference_steps) / point.reference_steps
        fine_weights = smooth_weights(point, context, steps)
        limits = [start.expand(len(drifts), *start.shape)]
    else:
        limits = [state[None] for state in _ode(point, context, activation, start, coarse)]
    for interval in range(coarse):
        increments = _increments(point, streams, coarse, context)
        for depth, states in snapshots.items():
            inside = slice(interval * depth // coarse, (interval + 1) * depth // coarse)
            sums = None if increments is None else increments.unflatten(0, (depth // coarse, -1)).sum(1)
            states.append(network(states[-1], weights[depth][inside], sums, depth, point, activation))
        if point.limit == "ito-sde" and increments is not None:
            inside = slice(interval * len(increments), (interval + 1) * len(increments))
            limits.append(ito(limits[-1], fine_weights[inside], increments, drifts, point, activation))
        context.progress(0.9 * interval / coarse)
    target = normal(context.streams("target"), (1, point.dim), context.dtype, context.device)
    true = _with_gradients(torch.stack(limits, 1), target)
    for depth, states in snapshots.items():
        found = _with_gradients(torch.stack(states)[None], target)
        errors = {name: _error(found[name] - true[name]) for name in true}
        lost = ~(torch.stack(list(errors.values())).isfinite().all(0))
        for place, drift in enumerate(drifts):
            of_drift = {name: error[place].cpu().double() for name, error in errors.items()}
            run = {"depth": depth, "drift": drift, "seed": np.array(cell.seeds), "diverged": lost[place].cpu()}
            run["bias_noise"] = point.noises[0]
            yield "errors", run | of_drift


def network(
    state: torch.Tensor,
    weights: torch.Tensor,
    increments: torch.Tensor | None,
    depth: int,
    point: Point,
    activation: Activation,
) -> torch.Tensor:
    """X after some layers of a network of `depth` layers.

    `weights` are [b, A] of these layers, `(layers, seeds, 1, dim, 1 + dim)`; `increments`, those of the Brownian paths
    of [b, A], are `(layers, seeds, paths, dim, 1 + dim)`, or None.
    """
    for layer, smooth in enumerate(weights):
        theta = depth**-point.beta * smooth
        if increments is not None:
            theta = theta + increments[layer]
        product = theta[..., 1:] @ state
        value, slope, _ = activation.derivatives(product[..., :1] + theta[..., :1])
        change = torch.cat([value, slope * product[..., 1:]], -1)
        state = torch.add(state, change, alpha=depth**-point.alpha)
    return state


def ito(
    state: torch.Tensor,
    weights: torch.Tensor,
    increments: torch.Tensor,
    drifts: tuple[float, ...],
    point: Point,
    activation: Activation,
) -> torch.Tensor:
    """X of the Ito SDE after some Euler-Maruyama steps, for all factors `drifts` of sigma''(0) Q.

    `state` is `(drifts, seeds, paths, dim, 1 + dim)`, the rest as in `network`, a layer being a step.
    """
    factors = torch.tensor(drifts, dtype=state.dtype, device=state.device)[:, None, None, None, None]
    curvature = factors * activation.derivatives(torch.zeros(())).second().item()
    of_bias, of_matrix = (curvature * noise**2 for noise in point.noises)

    def change(x: torch.Tensor, n: int, step: float, increment: torch.Tensor) -> torch.Tensor:
        theta = step * weights[n] + increment
        h, jacobian = x[..., :1], x[..., 1:]
        total = theta[..., 1:] @ x
        total[..., :1] += theta[..., :1] + step * (of_matrix * h.square().sum(-2, keepdim=True) + of_bias)
        total[..., 1:] += 2 * step * of_matrix * (h.mT @ jacobian)
        return total

    return euler_maruyama(change, state, increments, 1 / point.reference_steps)


def _ode(
    point: Point, context: Context, activation: Activation, start: torch.Tensor, coarse: int
) -> list[torch.Tensor]:
    """X of the neural or linear ODE at `coarse` + 1 equidistant times, `(seeds, 1, dim, 1 + dim)` each."""
    steps = -(-REFINED // coarse) * coarse
    halves = smooth_weights(point, context, torch.arange(2 * steps + 1) / (2 * steps))

    def field(state: torch.Tensor, s: float) -> torch.Tensor:
        theta = halves[round(s * 2 * steps)]
        product = theta[..., 1:] @ state
        argument = product[..., :1] + theta[..., :1]
        if point.limit == "linear-ode":
            return torch.cat([argument, product[..., 1:]], -1)
        value, slope, _ = activation.derivatives(argument)
        return torch.cat([value, slope * product[..., 1:]], -1)

    states = [start[:, :1]]
    for interval in range(coarse):
        ends = interval / coarse, (interval + 1) / coarse
        states.append(runge_kutta(field, states[-1], *ends, steps // coarse))
    return states


def smooth_weights(point: Point, context: Context, positions: torch.Tensor) -> torch.Tensor:
    """[b(s), A(s)] at some places s, `(positions, seeds, 1, dim, 1 + dim)`."""
    places, scale = positions.double(), point.gain / math.sqrt(point.dim)
    matrices = smooth_at(places, context.streams("A"), (1, point.dim, point.dim))
    biases = smooth_at(places, context.streams("b"), (1, point.dim, 1))
    return (scale * torch.cat([biases, matrices], -1)).to(context.device, context.dtype)


def _start(point: Point, context: Context) -> torch.Tensor:
    """x = (1/2, ..., 1/2) and the identity."""
    x = torch.full((point.dim, 1), 0.5, dtype=context.dtype, device=context.device)
    both = torch.cat([x, torch.eye(point.dim, dtype=context.dtype, device=context.device)], 1)
    return both.expand(len(context.seeds), point.paths, point.dim, 1 + point.dim)


def _increments(point: Point, streams: list[np.random.Generator], coarse: int, context: Context) -> torch.Tensor | None:
    """The next increments of the paths of [b, A], `(steps, seeds, paths, dim, 1 + dim)`, up to the next common time."""
    if not any(point.noises):
        return None
    shape = (point.reference_steps // coarse, point.paths, point.dim, 1 + point.dim)
    drawn = normal(streams, shape, context.dtype, context.device).transpose(0, 1)
    of_bias, of_matrix = (noise / math.sqrt(point.reference_steps) for noise in point.noises)
    return drawn * drawn.new_tensor([of_bias] + [of_matrix] * point.dim)


def _with_gradients(states: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
    """States, Jacobians and loss gradients of X at all common times, as vectors, `(drifts, times, seeds, paths, n)`."""
    h, jacobian = states[..., 0], states[..., 1:]
    end = (jacobian[:, -1:].mT @ (h[:, -1:] - target).unsqueeze(-1)).expand(*h.shape, 1)
    gradient = torch.linalg.solve_ex(jacobian.mT, end).result[..., 0]  # not finite where a path has diverged
    return {"state_error": h, "jacobian_error": jacobian.flatten(-2), "gradient_error": gradient}


def _error(difference: torch.Tensor) -> torch.Tensor:
    """The largest of the times' root mean squares over paths, `(drifts, seeds)`."""
    return difference.square().sum(-1).mean(-1).sqrt().amax(1)
