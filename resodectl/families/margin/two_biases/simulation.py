"""Ascent of the smooth margin from large weights with f = 0, beside the optima of the tangent kernel and of F1.

Chizat & Bach 2020 (arXiv 2002.04486). Large weights W hardly turn while f grows: f is then <df/dW, V>, V the change of
W, and ascent in V tends to the largest margin of the tangent kernel k(x, x') = <df(x)/dW, df(x')/dW> m. Once V is as
large as W, the limit is the largest margin in the variation norm F1. Pairs of units (a, b) and (a, -b) make f = 0.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.margin.ascent import Ascent, Labelled, Wide, ascend_both, begin, normal_start
from resodectl.families.margin.clusters import centres
from resodectl.families.margin.two_biases.spec import Point, Stage
from resodectl.numerics.margins.kernel_svm import kernel_svm
from resodectl.numerics.margins.variation_norm import arrangement, max_margin, values

RADIUS = 1 / 5


class Optimum(NamedTuple):
    """The largest margins `(seeds,)`, and the classifiers that have them, at points of a square `(seeds, points)`."""

    margins: torch.Tensor
    heights: torch.Tensor


class Tangent(NamedTuple):
    """The derivatives of m f in the weights at the start, at inputs `(seeds, n, 3)`."""

    inputs: torch.Tensor
    active: torch.Tensor  # (seeds, m, n): b 1[<a, x> > 0], the derivative in a is this times x
    units: torch.Tensor  # (seeds, m, n): relu(<a, x>), the derivative in b

    def kernel(self, other: "Tangent") -> torch.Tensor:
        """k(x, x') of the inputs of both, `(seeds, n, n')`."""
        first = (self.active.mT @ other.active) * (self.inputs @ other.inputs.mT)
        return (first + self.units.mT @ other.units) / self.units.shape[1]

    def along(self, change: Wide) -> torch.Tensor:
        """<df(x)/dW, V> for a change V of the weights, `(seeds, n)`."""
        turned = (self.active * (change.hidden @ self.inputs.mT)).sum(1)
        return (turned + torch.einsum("sm,smn->sn", change.output, self.units)) / self.units.shape[1]


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    point, seeds = cell.point, cell.seeds
    data = Labelled(*(part.to(context.device, context.dtype) for part in discs(point.samples, context)))
    start = balanced_start(point, context)
    at_data = tangent(start, data.inputs)
    square = _square(point.resolution, len(seeds)).to(data.inputs)
    lazy, rich = _largest_tangent(at_data, tangent(start, square), data), _largest_f1(data, square, point.tolerance)
    at, best = begin(start), torch.full((len(seeds),), -torch.inf, dtype=context.dtype)
    if (kept := context.restore()) is not None:
        at, best = Ascent(Wide(*kept["weights"]), kept["step"], kept["margin"]), kept["best"]
    ends = np.cumsum([stage.steps for stage in point.stages])
    for step in _records(point.stages, point.records):
        if step <= at.step:
            continue
        stage = int(np.searchsorted(ends, step))
        at = ascend_both(at, data, point.stages[stage].lr, step - at.step)
        change = Wide(at.network.hidden - start.hidden, at.network.output - start.output)
        length, heights = change.square().sqrt(), at.network.values(square)
        reached = ((at_data.along(change) * data.labels).amin(1) / length / lazy.margins).cpu()
        best = torch.maximum(best, reached)
        f1 = (at.network.values(data.inputs) * data.labels).amin(1) / at.network.square() / rich.margins
        yield (
            "biases",
            {
                "seed": seeds,
                "step": step,
                "stage": stage + 1,
                "tangent": reached.double(),
                "tangent_best": best.double(),
                "f1": f1.double(),
                "relative_change": (length / start.square().sqrt()).double(),
                "like_tangent": _cosine(heights, lazy.heights).double(),
                "like_f1": _cosine(heights, rich.heights).double(),
            },
        )
        context.save({"weights": list(at.network), "step": step, "margin": at.best, "best": best})
        context.progress(step / ends[-1])


def discs(samples: int, context: Context) -> Labelled:
    """As many points in each of the 2 x 2 discs, each at a uniform angle and a uniform distance from its centre."""
    middles = centres(2)
    labels = np.sign(middles).prod(1).repeat(samples)
    inputs = []
    for stream in context.streams("points"):
        angle, distance = 2 * np.pi * stream.random((4, samples)), RADIUS * stream.random((4, samples))
        around = distance[..., None] * np.stack([np.cos(angle), np.sin(angle)], -1)
        places = (middles[:, None] + around).reshape(-1, 2)
        inputs.append(np.column_stack([np.ones(len(places)), places]))
    return Labelled(torch.from_numpy(np.stack(inputs)), torch.from_numpy(np.stack([labels] * len(inputs))))


def balanced_start(point: Point, context: Context) -> Wide:
    """Normal weights in pairs of units with equal hidden and opposite output weights."""
    drawn = normal_start(context.streams("hidden"), context.streams("output"), point.width // 2, 3)
    hidden, output = (point.scale * weights.to(context.device, context.dtype) for weights in drawn)
    return Wide(torch.cat([hidden, hidden], 1), torch.cat([output, -output], 1))


def tangent(network: Wide, inputs: torch.Tensor) -> Tangent:
    """The derivatives of m f in the weights of networks, at inputs `(seeds, n, 3)`."""
    before = network.hidden @ inputs.mT
    return Tangent(inputs, network.output.unsqueeze(2) * (before > 0), before.clamp_min(0))


def _largest_tangent(at_data: Tangent, at_square: Tangent, data: Labelled) -> Optimum:
    grams = at_data.kernel(at_data).double().cpu().numpy()
    found = [kernel_svm(gram, y) for gram, y in zip(grams, data.labels.double().cpu().numpy(), strict=True)]
    coefficients = torch.tensor(np.stack([of.coefficients for of in found])).to(data.labels)
    heights = torch.einsum("snk,sk->sn", at_square.kernel(at_data), coefficients)
    return Optimum(torch.tensor([of.upper for of in found]).to(heights), heights)


def _largest_f1(data: Labelled, square: torch.Tensor, tolerance: float) -> Optimum:
    margins, heights = [], []
    for x, y, places in zip(*(part.double().cpu().numpy() for part in (*data, square)), strict=True):
        found = max_margin(x, y, arrangement(x), tolerance=tolerance)
        margins.append(found.upper)
        heights.append(values(places, found.directions) @ found.masses)
    return Optimum(torch.tensor(margins).to(square), torch.tensor(np.stack(heights)).to(square))


def _records(stages: tuple[Stage, ...], records: int) -> list[int]:
    """Steps at logarithmic distances, and the ends of the stages."""
    ends = np.cumsum([stage.steps for stage in stages])
    return np.unique(np.append(np.round(np.geomspace(1, ends[-1], records)).astype(int), ends)).tolist()


def _square(resolution: int, seeds: int) -> torch.Tensor:
    axis = torch.linspace(-0.5, 0.5, resolution, dtype=torch.float64)
    places = torch.cartesian_prod(axis, axis)
    return torch.cat([torch.ones(len(places), 1, dtype=torch.float64), places], 1).expand(seeds, -1, -1)


def _cosine(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return torch.cosine_similarity(left, right, dim=1)
