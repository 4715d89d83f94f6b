"""The map that a zero-variance flow makes of samples of rho0: samples of rho1.

Cao & Vanden-Eijnden 2022 (arXiv 2206.09908): T(x) = X_tau(x) with int_{-inf}^tau F^1 ds = int_{-inf}^0 F^0 ds, where
F^k_s = rho_k(X_s) J_s and the densities have integral 1. If div b = rho1 - rho0, or b leads from one Gaussian to a
narrower one, tau is negative, and the path backwards in time is all that is needed.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from resodectl.numerics.ode.runge_kutta import runge_kutta_step
from resodectl.numerics.sampling.flows import LogDensity
from resodectl.numerics.sampling.velocities import Velocity

NEWTON = 4  # steps by which tau is found inside a step of the path
CHUNK = 4096  # points whose paths are kept at once


class Mapped(NamedTuple):
    """Where points are carried, and when; NaN where the integral of F^1 does not reach that of F^0 by the time 0."""

    places: Tensor  # (points, dim)
    times: Tensor  # (points,)


class Wrong(NamedTuple):
    """What is wrong on purpose: the divergence is multiplied, or the time before which nothing counts is too short."""

    factor: float = 1.0
    horizon: float = math.inf


def mapped(
    velocity: Velocity,
    target: LogDensity,
    base: LogDensity,
    x: Tensor,
    steps: int,
    horizon: int,
    variants: dict[str, Wrong],
) -> dict[str, Mapped]:
    """T(x) and tau(x) of points `(points, dim)` by each variant, all along one path.

    Args:
        velocity: the field b; its divergence is rho1 - rho0 for the variant without a fault.
        target: log rho1.
        base: log rho0.
        x: points.
        steps: Runge-Kutta steps per unit of time.
        horizon: the integrals begin at -horizon.
        variants: what is wrong with each; `Wrong()` is right.
    """
    chunks = [_chunk(velocity, target, base, part, steps, horizon, variants) for part in x.split(CHUNK)]
    return {name: Mapped(*map(torch.cat, zip(*(of[name] for of in chunks), strict=True))) for name in variants}


def _chunk(
    velocity: Velocity,
    target: LogDensity,
    base: LogDensity,
    x: Tensor,
    steps: int,
    horizon: int,
    variants: dict[str, Wrong],
) -> dict[str, Mapped]:
    step, count = 1 / steps, steps * horizon
    nodes = [x]
    for _ in range(count):
        nodes.append(runge_kutta_step(lambda here, _: velocity(here), nodes[-1], 0.0, -step))
    path = torch.stack(nodes[::-1])  # from -horizon to 0
    log_target, log_base = target(path), base(path)
    summed = cumulative(velocity.divergence(path), step)
    found = {}
    for name, wrong in variants.items():
        first = max(0, count - round(steps * min(wrong.horizon, horizon)))
        log_jacobian = wrong.factor * (summed - summed[-1])[first:]
        f1 = (log_target[first:] + log_jacobian).exp()
        wanted = cumulative((log_base[first:] + log_jacobian).exp(), step)[-1]
        found[name] = _crossing(velocity, path[first:], f1, wanted, step)
    return found


def _crossing(velocity: Velocity, path: Tensor, slopes: Tensor, wanted: Tensor, step: float) -> Mapped:
    """Where the integral of F^1, of which the slopes are given at the nodes of a path, takes the wanted values."""
    reached = cumulative(slopes, step)
    last = len(path) - 1
    before = ((reached <= wanted).sum(0) - 1).clamp(0, last - 1)
    one = torch.arange(path.shape[1], device=path.device)
    ends = [(reached[before + k, one] - wanted, step * slopes[before + k, one]) for k in (0, 1)]
    share = -ends[0][0] / (ends[1][0] - ends[0][0])
    for _ in range(NEWTON):
        value, slope = hermite(share, *ends[0], *ends[1])
        share = (share - value / slope).clamp(0, 1)
    sides = [path[before + k, one] for k in (0, 1)]
    rates = [step * velocity(side) for side in sides]
    places, _ = hermite(share.unsqueeze(1), sides[0], rates[0], sides[1], rates[1])
    never = reached[-1] < wanted
    times = (before + share - last) * step
    return Mapped(torch.where(never.unsqueeze(1), math.nan, places), torch.where(never, math.nan, times))


def hermite(share: Tensor, start: Tensor, slope: Tensor, end: Tensor, end_slope: Tensor) -> tuple[Tensor, Tensor]:
    """The cubic with given values and slopes at 0 and 1, and its slope.

    >>> hermite(torch.tensor(0.5), *map(torch.tensor, (0.0, 0.0, 1.0, 3.0)))  # t^3
    (tensor(0.1250), tensor(0.7500))
    """
    second, third = 3 * (end - start) - 2 * slope - end_slope, slope + end_slope - 2 * (end - start)
    value = start + share * (slope + share * (second + share * third))
    return value, slope + share * (2 * second + share * 3 * third)


def cumulative(values: Tensor, step: float) -> Tensor:
    """The integral from the first node on, along the first dimension, by the cubic through four neighbouring nodes.

    Raises:
        ValueError: there are fewer than four nodes.

    >>> cumulative(torch.arange(5.0) ** 3, 1.0).tolist()
    [0.0, 0.25, 4.0, 20.25, 64.0]
    """
    if len(values) < 4:
        raise ValueError(f"a cubic needs four nodes, not {len(values)}")
    inner = 13 * (values[1:-2] + values[2:-1]) - values[:-3] - values[3:]
    first = 9 * values[:1] + 19 * values[1:2] - 5 * values[2:3] + values[3:4]
    final = 9 * values[-1:] + 19 * values[-2:-1] - 5 * values[-3:-2] + values[-4:-3]
    areas = torch.cat([first, inner, final]) * (step / 24)
    return torch.cat([torch.zeros_like(values[:1]), areas.cumsum(0)])
