"""Weights along exact zero-variance flows at growing speeds, and along a rotation whose weights have a closed form.

Cao & Vanden-Eijnden 2022 (arXiv 2206.09908). Every weight, right or wrong on purpose, is taken along one path.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.neis.cosine_square import CosineField, log_uniform
from resodectl.families.neis.targets import target_of
from resodectl.families.neis.zero_variance.spec import ORACLES, Point
from resodectl.numerics.draws import normal, uniform
from resodectl.numerics.sampling.flows import (
    LogDensity,
    from_centre,
    log_integral,
    log_terms,
    log_weights,
    path,
    window_start,
)
from resodectl.numerics.sampling.joint_ode import joint_log_weights
from resodectl.numerics.sampling.targets import log_base, mixture, two_modes
from resodectl.numerics.sampling.velocities import Linear, Velocity

Block = tuple[str, dict[str, Any]]
MIDDLE = -0.5  # t- of the finite windows


class Flow(NamedTuple):
    """A velocity, the densities at its ends, samples of the base `(seeds, samples, dim)`, and log R."""

    velocity: Velocity
    target: LogDensity
    base: LogDensity
    x: Tensor
    log_ratio: float


def simulate(cell: Cell[Point], context: Context) -> Iterator[Block]:
    if cell.point.field in ORACLES:
        yield from _oracle(cell.point, context)
        return
    flow = flow_of(cell.point, context)
    exact = flow.x.new_tensor(flow.log_ratio)
    for (method, ablation), found in all_weights(flow, cell.point.steps).items():
        yield "weights", {"method": method, "ablation": ablation} | _summary(cell.seeds, found, exact, flow.log_ratio)


def _summary(seeds: tuple[int, ...], found: Tensor, exact: Tensor, log_ratio: float) -> dict[str, Any]:
    """What the log says of weights `(seeds, samples)` whose exact values are given, all as logarithms."""
    ratios = (found - log_ratio).exp()
    return {
        "seed": list(seeds),
        "relative_mean": ratios.mean(1).double(),
        "relative_variance": ratios.var(1, correction=0).double(),
        "largest_error": ((found - exact).exp() - 1).abs().amax(1).double(),
    }


def flow_of(point: Point, context: Context) -> Flow:
    """The flow of a cell with its samples."""
    like = torch.empty(0, dtype=context.dtype, device=context.device)
    if point.field == "square":
        places = in_each_cell(context, math.isqrt(point.samples))
        field = CosineField(point.speed, point.amplitude)
        return Flow(field, field.log_density, log_uniform, places, 0.0)
    dim = 1 if point.field == "constant" else point.dim
    x = normal(context.streams(point.field), (point.samples, dim), context.dtype, context.device)
    if point.field == "constant":
        target = target_of(point.modes, context)
        velocity = Linear(like.new_zeros(1, 1, 1), like.new_full((1, 1), point.speed))
    else:
        target = mixture([1.0], [[point.shift] * dim], [[point.scale**2] * dim], context.dtype, context.device)
        shift = like.new_full((1, dim), -point.speed * point.shift / (1 - point.scale))
        velocity = Linear(point.speed * torch.eye(dim).to(like).unsqueeze(0), shift)
    if target.ratio is None:
        raise ValueError("the constant of this target is not known")
    return Flow(velocity, target.log_density, log_base, x, math.log(target.ratio))


def in_each_cell(context: Context, side: int) -> Tensor:
    """A uniform draw in each cell of a grid on the unit square, `(seeds, side^2, 2)`."""
    offsets = uniform(context.streams("square"), (side, side, 2), dtype=context.dtype, device=context.device)
    corner = torch.arange(side, dtype=context.dtype, device=context.device)
    corners = torch.stack(torch.meshgrid(corner, corner, indexing="ij"), -1)
    return ((corners + offsets) / side).flatten(1, 2)


def all_weights(flow: Flow, steps: int) -> dict[tuple[str, str], Tensor]:
    """log A `(seeds, samples)` by method and ablation, all along one path."""
    nodes, middle = path(flow.velocity, flow.x, steps), window_start(MIDDLE, steps)
    divergence, densities = flow.velocity.divergence(nodes), (flow.target(nodes), flow.base(nodes))

    def finite(factor: float = 1.0, of_base: float = 1.0, first: int = middle) -> Tensor:
        inside = densities[0][first : first + steps + 1]
        terms = log_terms(factor * divergence, inside, nodes, first, lambda _: of_base * densities[1])
        return terms.values.logsumexp(0)

    def infinite(reach: int, factor: float = 1.0) -> Tensor:
        kept = slice(steps - reach, steps + reach + 1)
        log_jacobian = from_centre(factor * divergence, 1 / steps)
        above, below = (log_integral((density + log_jacobian)[kept]) for density in densities)
        return above - below

    factors = {"none": 1.0, "no-jacobian": 0.0, "double-divergence": 2.0}
    return {
        **{("int", name): finite(factor) for name, factor in factors.items()},
        **{("infinite", name): infinite(steps, factor) for name, factor in factors.items()},
        ("int", "full-base"): finite(of_base=2.0),
        ("int", "one-sided"): finite(first=window_start(0.0, steps)),
        ("int", "fixed-window"): infinite(steps // 2),
    }


def _oracle(point: Point, context: Context) -> Iterator[Block]:
    """Along a whole turn the weights are a Bessel function of the radius; at rest, those of vanilla sampling."""
    x = normal(context.streams(point.field), (point.samples, 2), context.dtype, context.device)
    matrix = torch.zeros(1, 2, 2, dtype=context.dtype, device=context.device)
    if point.field == "rest":
        target = two_modes(context.dtype, context.device)
        expected = target.log_density(x) - log_base(x)
    else:
        matrix[0, 0, 1], matrix[0, 1, 0] = -2 * math.pi, 2 * math.pi
        where, spread = [[point.distance, 0.0]], [[point.spread] * 2]
        target = mixture([1.0], where, spread, context.dtype, context.device)
        expected = rotation_log_weights(x, point.distance, point.spread)
    velocity = Linear(matrix, x.new_zeros(1, 2))
    methods: dict[str, Callable[..., Tensor]] = {"int": log_weights, "ode": joint_log_weights}
    for method, log_weights_of in methods.items():
        for ablation, factor in (("none", 1.0), ("full-base", 2.0)):
            found = log_weights_of(
                velocity, target.log_density, x, point.steps, base=lambda places, k=factor: k * log_base(places)
            )
            summary = _summary(context.seeds, found, expected, math.log(target.ratio))
            yield "weights", {"method": method, "ablation": ablation} | summary


def rotation_log_weights(x: Tensor, distance: float, spread: float) -> Tensor:
    """log A of a whole turn for the target exp(-|x - (mu, 0)|^2 / (2 v)), of the places' radii r alone.

    A(r) = I_0(mu r / v) exp(-(r^2 + mu^2) / (2 v) + r^2 / 2).
    """
    radius = x.norm(dim=-1)
    argument = distance * radius / spread
    bessel = torch.special.i0e(argument).log() + argument
    return bessel - (radius.square() + distance**2) / (2 * spread) + radius.square() / 2
