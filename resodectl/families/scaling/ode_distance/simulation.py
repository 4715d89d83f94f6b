"""A residual network beside the neural ODE that interpolates its layers, and the Euler bound on their distance.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612), section 3: if phi is L-Lipschitz in x and |x''| <= C along the solution,
|x_n - x(n/N)| <= C ((1 + L/N)^n - 1) / (2 N L) <= C (e^L - 1) / (2 N L). The layers are Lipschitz with the same L, so
nothing is asked of phi in x between them. Every field here is smooth between two layers but may have kinks at them.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.scaling.ode_distance.spec import Point
from resodectl.numerics.draws import normal, uniform
from resodectl.numerics.ode.runge_kutta import runge_kutta
from resodectl.numerics.weights.depth import smooth_at

REFINED = 1024  # Runge-Kutta steps on [0, 1], at least; four in every layer, at least

At = Callable[[torch.Tensor, int, float], torch.Tensor]
"""A function of (x, n, u) on layer n's interval: u in [0, 1] is the place (n + u)/N; x is `(seeds, batch, dim)`."""


@dataclass(frozen=True)
class Interpolation:
    """phi(x, s), phi_s + phi_x phi (which is x'' of a solution), phi_x v, L of each seed, and where solutions start."""

    phi: At
    acceleration: At
    along: Callable[[torch.Tensor, int, float, torch.Tensor], torch.Tensor]
    lipschitz: torch.Tensor
    start: torch.Tensor


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    point = cell.point
    build = _perceptrons if point.field in ("smooth", "alternating") else _FAMILIES[point.field]
    found = compare(build(point, context), point.depth, point.depth**-point.residual_exponent, context)
    yield "distances", {"seed": np.array(cell.seeds)} | {name: value.cpu().double() for name, value in found.items()}


def compare(field: Interpolation, depth: int, scale: float, context: Context) -> dict[str, torch.Tensor]:
    """The largest distance of network and ODE over layers and inputs, its bound and its leading gap, `(seeds,)` each.

    The ODE is solved afresh on the interval of every layer, so that kinks at the layers cost no accuracy. The leading
    term of x_n - x(n/N) is e_n with e_{n+1} = e_n + phi_x e_n / N - x''(n/N) / (2 N^2), taken along the solution.
    """
    inside = max(4, 4 * (REFINED // (4 * depth)))
    network = solution = field.start
    leading = torch.zeros_like(field.start)
    distance, curvature, gap = (torch.zeros_like(field.lipschitz) for _ in range(3))
    for n in range(depth):
        network = network + scale * field.phi(network, n, 0.0)

        def velocity(x: torch.Tensor, u: float, n: int = n) -> torch.Tensor:
            return field.phi(x, n, u) / depth

        turning = field.acceleration(solution, n, 0.0) / (2 * depth)
        leading = leading + (field.along(solution, n, 0.0, leading) - turning) / depth
        for part in range(inside):
            curvature = torch.maximum(curvature, _largest(field.acceleration(solution, n, part / inside)))
            solution = runge_kutta(velocity, solution, part / inside, (part + 1) / inside, 1)
        curvature = torch.maximum(curvature, _largest(field.acceleration(solution, n, 1.0)))
        distance = torch.maximum(distance, _largest(network - solution))
        gap = torch.maximum(gap, _largest(network - solution - leading))
        if n % 64 == 0:
            context.progress(n / depth)
    growth = torch.where(field.lipschitz > 0, torch.expm1(field.lipschitz) / field.lipschitz, 1.0)
    return {"distance": distance, "bound": curvature * growth / (2 * depth), "leading_gap": gap / distance}


def _perceptrons(point: Point, context: Context) -> Interpolation:
    """phi(x, s) = tanh(W(s) x), W linear between its N + 1 values at n/N; only N of them are layers."""
    depth, shape = point.depth, (point.dim, point.dim)
    streams = context.streams("weights")
    positions = torch.arange(depth + 1, dtype=torch.float64) / depth
    matrices = smooth_at(positions, streams, shape)
    if point.field == "alternating":
        signs = 1.0 - 2.0 * (torch.arange(depth + 1) % 2).to(torch.float64)
        matrices = matrices + torch.tensordot(signs, normal(streams, shape), dims=0)
    matrices = (point.gain / math.sqrt(point.dim) * matrices).to(context.device, context.dtype)
    slopes = matrices.diff(dim=0)  # W' / N

    def at(n: int, u: float) -> torch.Tensor:
        return torch.add(matrices[n], slopes[n], alpha=u)

    def phi(x: torch.Tensor, n: int, u: float) -> torch.Tensor:
        return torch.tanh(torch.bmm(x, at(n, u)))

    def acceleration(x: torch.Tensor, n: int, u: float) -> torch.Tensor:
        velocity = phi(x, n, u)
        turning = torch.baddbmm(torch.bmm(velocity, at(n, u)), x, slopes[n], alpha=depth)
        return (1 - velocity.square()) * turning

    def along(x: torch.Tensor, n: int, u: float, v: torch.Tensor) -> torch.Tensor:
        return (1 - phi(x, n, u).square()) * torch.bmm(v, at(n, u))

    lipschitz = torch.linalg.matrix_norm(matrices[:-1], 2).amax(0)
    start = normal(context.streams("inputs"), (point.batch, point.dim), context.dtype, context.device)
    return Interpolation(phi, acceleration, along, lipschitz, start)


def _ramp(point: Point, context: Context) -> Interpolation:
    """phi = s: the distance is 1/(2N), which is the bound."""
    start = _scalar(context, "inputs")
    return Interpolation(
        lambda x, n, u: torch.full_like(x, (n + u) / point.depth),
        lambda x, n, u: torch.ones_like(x),
        lambda x, n, u, v: torch.zeros_like(x),
        torch.zeros_like(start)[:, 0, 0],
        start,
    )


def _affine(point: Point, context: Context) -> Interpolation:
    """phi = L x + g(s), g chosen so that x(s) = x_0 + v s + C s^2/2: the distance is C ((1 + L/N)^N - 1) / (2 N L)."""
    start, velocity = _scalar(context, "inputs"), _scalar(context, "velocity")
    lipschitz, curvature = (
        uniform(context.streams(name), (1, 1), *ends, context.dtype, context.device)
        for name, ends in (("lipschitz", point.lipschitz), ("curvature", point.curvature))
    )

    def phi(x: torch.Tensor, n: int, u: float) -> torch.Tensor:
        s = (n + u) / point.depth
        return velocity + curvature * s + lipschitz * (x - (start + velocity * s + curvature * s**2 / 2))

    def acceleration(x: torch.Tensor, n: int, u: float) -> torch.Tensor:
        s = (n + u) / point.depth
        return curvature + lipschitz * (phi(x, n, u) - (velocity + curvature * s))

    return Interpolation(phi, acceleration, lambda x, n, u, v: lipschitz * v, lipschitz[:, 0, 0], start)


def _bump(point: Point, context: Context) -> Interpolation:
    """phi = 1 - cos(2 pi N s) vanishes at all layers: the network rests, the ODE moves by 1; the bound is pi."""
    start = _scalar(context, "inputs")
    return Interpolation(
        lambda x, n, u: torch.full_like(x, 1 - math.cos(2 * math.pi * u)),
        lambda x, n, u: torch.full_like(x, 2 * math.pi * point.depth * math.sin(2 * math.pi * u)),
        lambda x, n, u, v: torch.zeros_like(x),
        torch.zeros_like(start)[:, 0, 0],
        start,
    )


def _scalar(context: Context, name: str) -> torch.Tensor:
    """One standard normal number a seed, `(seeds, 1, 1)`."""
    return normal(context.streams(name), (1, 1), context.dtype, context.device)


def _largest(x: torch.Tensor) -> torch.Tensor:
    """The largest norm over a seed's inputs."""
    return x.norm(dim=-1).amax(1)


_FAMILIES = {"ramp": _ramp, "affine": _affine, "bump": _bump}
