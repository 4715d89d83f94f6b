"""Samples of rho0 carried along zero-variance flows, counted in bins, and the Jacobian of the map point by point.

Cao & Vanden-Eijnden 2022 (arXiv 2206.09908), the appendix on flows as generators.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.neis.generator.spec import Point
from resodectl.families.neis.planes import plane_field
from resodectl.families.neis.time_map import Mapped, Wrong, mapped
from resodectl.numerics.draws import normal, uniform
from resodectl.numerics.sampling.flows import LogDensity, from_centre, log_integral, path
from resodectl.numerics.sampling.velocities import Velocity

Block = tuple[str, dict[str, Any]]
VARIANTS = {
    "none": Wrong(),
    "no-jacobian": Wrong(factor=0.0),
    "double-divergence": Wrong(factor=2.0),
    "short": Wrong(horizon=1.0),
}
NUDGE = 1e-4  # by which points are moved for the derivatives of the map
MERGED = 3  # shown bins in each direction that make one bin of chi^2
LINE_BINS = 50  # of equal mass, for chi^2 on the line
NODES = 6  # of Gauss's rule in each bin and direction
LINE_REACH = 3.0  # of the points on the line where the Jacobian is looked at
PLASTIC = 1.324717957244746  # the root of x^3 = x + 1: the evenest points in the plane
SHOWN, SHOWN_STEPS = 4.0, 80  # time of a flow line each way, and its steps


class Flow(NamedTuple):
    """A velocity with the normalised densities of its ends."""

    velocity: Velocity
    target: LogDensity
    base: LogDensity


class Contraction(NamedTuple):
    """b(x) = x - w / (1 - s), which leads from N(0, 1) to N(w, s^2); places `(..., dim)`."""

    scale: float
    shift: float

    def __call__(self, x: Tensor) -> Tensor:
        return x - self.shift / (1 - self.scale)

    def divergence(self, x: Tensor) -> Tensor:
        return torch.full_like(x[..., 0], x.shape[-1])

    def log_density(self, x: Tensor) -> Tensor:
        return log_normal((x - self.shift) / self.scale) - x.shape[-1] * math.log(self.scale)


def log_normal(x: Tensor) -> Tensor:
    """The logarithm of the standard normal density, normalised; places `(..., dim)`."""
    return -0.5 * x.square().sum(-1) - 0.5 * x.shape[-1] * math.log(2 * math.pi)


def simulate(cell: Cell[Point], context: Context) -> Iterator[Block]:
    point, seeds = cell.point, cell.seeds
    flow = flow_of(point, context)
    draw = normal if point.case == "line" else uniform
    x = draw(context.streams(point.case), (point.points, 1 if point.case == "line" else 2))
    x = x.to(context.device, context.dtype)
    parts: list[dict[str, Mapped]] = []
    for of_seed in x:
        parts.append(_mapped(flow, of_seed, point))
        context.progress(0.8 * len(parts) / len(seeds))
    if point.case == "line":
        yield from _on_the_line(point, seeds, x, parts)
    else:
        yield from _in_the_plane(point, flow, seeds, parts)
    yield "lines", _lines(flow, x.new_tensor(spread_out(point.lines, x.shape[-1])))
    yield from _weights(flow, point, x[:, : point.weights], seeds)
    yield from _map(flow, point, x)


def flow_of(point: Point, context: Context) -> Flow:
    """The flow of a cell, on the context's device and of its type."""
    if point.case == "line":
        contraction = Contraction(point.scale, point.shift)
        return Flow(contraction, contraction.log_density, log_normal)
    like = torch.empty(0, dtype=context.dtype, device=context.device)
    field = plane_field(point.case, point.amplitude, point.grid, like)
    return Flow(field, field.log_density, lambda x: torch.zeros_like(x[..., 0]))


def _mapped(flow: Flow, x: Tensor, point: Point) -> dict[str, Mapped]:
    return mapped(flow.velocity, flow.target, flow.base, x, point.steps, point.horizon, VARIANTS)


def _on_the_line(point: Point, seeds: tuple[int, ...], x: Tensor, parts: list[dict[str, Mapped]]) -> Iterator[Block]:
    expected = torch.full((LINE_BINS,), point.points / LINE_BINS, dtype=torch.float64)
    for ablation in VARIANTS:
        places = torch.stack([of[ablation].places[:, 0] for of in parts])
        masses = torch.special.ndtr((places - point.shift) / point.scale)
        counts = [_count(of.unsqueeze(1), LINE_BINS) for of in masses]
        error = (places - (point.scale * x[..., 0] + point.shift)).abs().amax(1)
        yield "fit", _fit(ablation, seeds, counts, expected, point.points) | {"map_error": error.double().cpu()}
    reach = 4 * point.scale
    edges = np.linspace(point.shift - reach, point.shift + reach, point.bins + 1)
    places = torch.cat([of["none"].places[:, 0] for of in parts])
    shares = torch.special.ndtr((torch.from_numpy(edges) - point.shift) / point.scale).diff()
    yield (
        "histogram",
        {
            "x": (edges[1:] + edges[:-1]) / 2,
            "y": 0.0,
            "count": np.histogram(places.double().cpu().numpy(), edges)[0],
            "expected": len(places) * shares,
        },
    )


def _in_the_plane(point: Point, flow: Flow, seeds: tuple[int, ...], parts: list[dict[str, Mapped]]) -> Iterator[Block]:
    shares = bin_masses(lambda x: flow.target(x).exp(), point.bins)
    for ablation in VARIANTS:
        counts = [_count(of[ablation].places - of[ablation].places.floor(), point.bins) for of in parts]
        merged = [_merge(count) for count in counts]
        fit = _fit(ablation, seeds, merged, point.points * _merge(shares), point.points)
        yield "fit", fit | {"map_error": math.nan}
        if ablation == "none":
            middles = (np.arange(point.bins) + 0.5) / point.bins
            first, second = np.meshgrid(middles, middles, indexing="ij")
            yield (
                "histogram",
                {
                    "x": first.ravel(),
                    "y": second.ravel(),
                    "count": torch.stack(counts).sum(0).flatten().long(),
                    "expected": len(seeds) * point.points * shares.flatten(),
                },
            )


def _fit(ablation: str, seeds: tuple[int, ...], counts: list[Tensor], expected: Tensor, points: int) -> dict[str, Any]:
    chi_squares = [((count - expected).square() / expected).sum().item() / (expected.numel() - 1) for count in counts]
    unmapped = [1 - count.sum().item() / points for count in counts]
    return {"seed": list(seeds), "ablation": ablation, "chi_square": chi_squares, "unmapped": unmapped}


def _count(places: Tensor, bins: int) -> Tensor:
    """How many places `(points, dim)` of the unit interval or square are in each bin; NaN is in none."""
    known = places[~places.isnan().any(1)].cpu()
    cells = (known * bins).long().clamp(0, bins - 1)
    flat = cells[:, 0] if cells.shape[1] == 1 else cells[:, 0] * bins + cells[:, 1]
    return torch.bincount(flat, minlength=bins ** cells.shape[1]).reshape((bins,) * cells.shape[1]).double()


def _merge(values: Tensor) -> Tensor:
    """Sums over blocks of bins: `(bins, bins)` to a third in each direction."""
    coarse = len(values) // MERGED
    return values.reshape(coarse, MERGED, coarse, MERGED).sum((1, 3))


def bin_masses(density: Callable[[Tensor], Tensor], bins: int) -> Tensor:
    """The integrals of a density over the bins of the unit square by Gauss's rule, `(bins, bins)`, in float64."""
    nodes, weights = (torch.from_numpy(of) for of in np.polynomial.legendre.leggauss(NODES))
    axis = ((torch.arange(bins, dtype=torch.float64).unsqueeze(1) + (nodes + 1) / 2) / bins).flatten()
    values = density(torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1)).reshape(bins, NODES, bins, NODES)
    return torch.einsum("iajb,a,b->ij", values, weights / (2 * bins), weights / (2 * bins))


def spread_out(count: int, dim: int) -> list[list[float]]:
    """Points of the unit interval or square that lie evenly: multiples of powers of an irrational number, modulo 1.

    >>> [[round(value, 3) for value in place] for place in spread_out(3, 2)]
    [[0.255, 0.07], [0.01, 0.64], [0.765, 0.21]]
    """
    return [[(0.5 + k * PLASTIC ** -(axis + 1)) % 1 for axis in range(dim)] for k in range(1, count + 1)]


def _lines(flow: Flow, x: Tensor) -> dict[str, Any]:
    nodes = path(flow.velocity, x.unsqueeze(0), SHOWN_STEPS, SHOWN)[:, 0]
    nodes = nodes.transpose(0, 1)
    number = np.repeat(np.arange(len(nodes)), nodes.shape[1])
    return {"line": number} | _places(nodes.flatten(0, 1))


def _places(x: Tensor) -> dict[str, Any]:
    """The coordinates of places `(points, dim)`; on the line the second is 0."""
    return {"x": x[:, 0].double().cpu(), "y": x[:, 1].double().cpu() if x.shape[1] > 1 else 0.0}


def _weights(flow: Flow, point: Point, x: Tensor, seeds: tuple[int, ...]) -> Iterator[Block]:
    """The weights in infinite time, whose exact value is 1 for every sample."""
    nodes = path(flow.velocity, x, point.steps * point.horizon, float(point.horizon))
    divergence, densities = flow.velocity.divergence(nodes), (flow.target(nodes), flow.base(nodes))
    for ablation in ("none", "no-jacobian", "double-divergence"):
        log_jacobian = from_centre(VARIANTS[ablation].factor * divergence, 1 / point.steps)
        above, below = (log_integral(density + log_jacobian) for density in densities)
        error = torch.expm1(above - below).abs().amax(1).double().cpu()
        yield "weights", {"seed": list(seeds), "ablation": ablation, "largest_error": error}


def _map(flow: Flow, point: Point, like: Tensor) -> Iterator[Block]:
    """tau, and the change of volume by central differences of the map, at the points of a grid."""
    dim = like.shape[-1]
    # Half a cell and a quarter of a cell off, so that none is on a diagonal, from which paths end in a saddle.
    axes = [(torch.arange(point.side).to(like) + offset) / point.side for offset in (0.5, 0.25)[:dim]]
    if point.case == "line":
        axes = [LINE_REACH * (2 * axes[0] - 1)]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, dim)
    moves = NUDGE * torch.eye(dim).to(like)
    shifts = torch.cat([torch.zeros_like(moves[:1]), moves, -moves])
    found = _mapped(flow, (grid + shifts.unsqueeze(1)).reshape(-1, dim), point)
    for ablation, of in found.items():
        centre, forwards, backwards = of.places.reshape(2 * dim + 1, -1, dim).split([1, dim, dim])
        slopes = ((forwards - backwards) / (2 * NUDGE)).transpose(0, 1)  # (points, dim, dim)
        volume = torch.linalg.det(slopes).abs()
        error = ((flow.target(centre[0]) - flow.base(grid)).exp() * volume - 1).abs()
        yield (
            "map",
            {
                "ablation": ablation,
                "tau": of.times[: len(grid)].double(),
                "jacobian_error": error.double(),
            }
            | _places(grid),
        )
