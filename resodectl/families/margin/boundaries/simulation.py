"""Ascent of the smooth margin on labelled points of the plane, and the exact optima that it is compared with.

Chizat & Bach 2020 (arXiv 2002.04486), Figure 1: training both layers tends to the largest margin in the variation norm
(F1), training the output layer alone to the largest margin of a kernel (F2), here the arc-cosine one of infinite width.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.margin.ascent import (
    Ascent,
    Labelled,
    Wide,
    ascend_both,
    ascend_output,
    begin,
    normal_start,
)
from resodectl.families.margin.boundaries.spec import MOST, Point
from resodectl.families.margin.clusters import centres, draw_clusters
from resodectl.families.margin.labelled_points import read_points
from resodectl.families.margin.plane_optima import Optima, alignment, best_line, optima_of
from resodectl.numerics.draws import normal
from resodectl.numerics.laws.arc_cosine import relu_gram
from resodectl.numerics.laws.correlations import Floats
from resodectl.numerics.margins.kernel_svm import kernel_svm
from resodectl.numerics.margins.variation_norm import values

DRAWS = 8  # of random features
HALF = 0.8  # of the shown square, for points in [-1/2, 1/2]^2
CORNERS = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
Block = tuple[str, dict[str, Any]]


class Sets(NamedTuple):
    """The points of each seed as the networks see them, (1, x, y); x = middle + scale times what they see."""

    data: Labelled
    centres: Floats  # (k, 2), as the networks see them; there may be none
    middle: Floats  # (2,)
    scale: float

    def shown(self, seen: Floats) -> Floats:
        """Places `(..., 2)` as the log has them."""
        return self.middle + self.scale * seen


def simulate(cell: Cell[Point], context: Context) -> Iterator[Block]:
    point, seeds = cell.point, cell.seeds
    sets = labelled_sets(point, context)
    inputs, labels = (tensor.numpy() for tensor in sets.data)
    drawn = point.data.kind == "clusters"  # else all seeds have the same points
    found = zip(inputs, labels, strict=True) if drawn else [(inputs[0], labels[0])]
    optima = [optima_of(x, y, point.tolerance) for x, y in found] * (1 if drawn else len(seeds))
    kept = context.restore()
    if kept is None:
        yield "points", _points(sets, seeds)
        yield "atoms", _atoms(optima, seeds)
        yield "optima", _optima("given", sets, optima, seeds)
        if drawn:
            yield "optima", _optima("permuted", *_permuted(point, context, sets), seeds)
        yield from _features(point, context, sets, optima)
        context.progress(0.2)
        kept = {"networks": {}, "run": None}
    networks = {method: Wide(*weights) for method, weights in kept["networks"].items()}
    for method, start, advance in _methods(point, context, sets):
        if method in networks:
            continue
        largest, done = _largest_with(start, sets), -1
        at, best = begin(start), np.full(len(seeds), -np.inf)
        if kept["run"] is not None:
            done, weights, reached, best = kept["run"]
            at, best, kept = Ascent(Wide(*weights), done, reached), best.numpy(), kept | {"run": None}
        for step in _records(point.steps, point.records):
            if step <= done:
                continue
            at = advance(at, step)
            record = _record(method, at, sets, optima, largest)
            best = np.maximum(best, record["best"])
            yield (
                "margins",
                {"method": method, "seed": seeds, "step": step}
                | record
                | {"best": best, "ratio": best / record["upper"]},
            )
            yield "particles", {"method": method, "step": step} | _particles(at.network, point.shown, seeds)
            run = [step, list(at.network), at.best, torch.from_numpy(best)]
            context.save({"networks": {name: list(of) for name, of in networks.items()}, "run": run})
            if step:
                context.progress(0.2 + 0.4 * (len(networks) + step / point.steps))
        networks[method] = at.network
    yield from _surfaces(point.resolution, sets, optima, networks, seeds)


def labelled_sets(point: Point, context: Context) -> Sets:
    """The points of each seed, in float64.

    Raises:
        DataError: the file is no table of labelled points.
    """
    data, seeds = point.data, len(context.seeds)
    middle, scale = np.zeros(2), 1.0
    if data.kind == "clusters":
        drawn = draw_clusters(context.streams, "train", data.samples, 3, data.discs)
        return Sets(drawn, centres(data.discs), middle, scale)
    if data.kind == "xor":
        points, labels = CORNERS * (data.across, data.along), CORNERS.prod(1)
    else:
        points, labels = read_points(context.input(data.file), MOST)
        low, high = points.min(0), points.max(0)
        middle, scale = (low + high) / 2, float((high - low).max())
    seen = np.column_stack([np.ones(len(points)), (points - middle) / scale])
    repeated = (torch.from_numpy(np.repeat(part[None], seeds, 0)) for part in (seen, labels))
    return Sets(Labelled(*repeated), np.empty((0, 2)), middle, scale)


def _methods(point: Point, context: Context, sets: Sets) -> Iterator[tuple[str, Wide, Callable[[Ascent, int], Ascent]]]:
    """Each method with its start, and how it gets to a later step."""
    drawn = normal_start(context.streams("hidden"), context.streams("output"), point.width, 3)
    start = Wide(*(weights.to(context.device, context.dtype) for weights in drawn))
    data = Labelled(*(tensor.to(start.output) for tensor in sets.data))
    yield "both", start, lambda at, step: ascend_both(at, data, point.lr, step - at.step)
    zero = start._replace(output=torch.zeros_like(start.output))
    yield "output", zero, lambda at, step: ascend_output(at, data, point.lr, step - at.step)


def _records(steps: int, records: int) -> list[int]:
    return sorted({0, *np.unique(np.round(np.geomspace(1, steps, records)).astype(int)).tolist()})


def _largest_with(network: Wide, sets: Sets) -> Floats:
    """The largest least y f(x) over |b| / sqrt(m) with the given hidden units, `(seeds,)`; 0 if none is positive."""
    units = torch.bmm(network.hidden.double().cpu(), sets.data.inputs.mT).clamp_min(0)
    grams = torch.bmm(units.mT, units) / units.shape[1]
    found = zip(grams.numpy(), sets.data.labels.numpy(), strict=True)
    bounds = [kernel_svm(gram, labels) for gram, labels in found]
    return np.array([of.upper if of.lower > 0 else 0.0 for of in bounds])


def _record(method: str, at: Ascent, sets: Sets, optima: list[Optima], largest: Floats) -> dict[str, Any]:
    network = Wide(*(weights.double().cpu() for weights in at.network))
    least = (network.values(sets.data.inputs) * sets.data.labels).amin(1)
    norm = network.square() if method == "both" else network.balanced()
    margin = torch.where(norm > 0, least / norm, 0.0).numpy()
    best = at.best.double().cpu().numpy()
    return {
        "margin": margin,
        "best": np.maximum(margin, best) if method == "both" else margin,
        "upper": np.array([of.f1.upper for of in optima]),
        "kernel_ratio": np.full(len(best), np.nan)
        if method == "both"
        else best / np.where(largest > 0, largest, np.nan),
        "alignment": [alignment(a, b, of.f1) for a, b, of in zip(*(w.numpy() for w in network), optima, strict=True)],
    }


def _points(sets: Sets, seeds: tuple[int, ...]) -> dict[str, Any]:
    samples, labels = sets.data.inputs.numpy()[..., 1:], sets.data.labels.numpy()
    discs = np.repeat(sets.centres[None], len(seeds), 0)
    marked = discs if len(sets.centres) else samples
    places = sets.shown(np.concatenate([samples, marked], 1))
    parts = np.repeat(["sample", "centre"], [samples.shape[1], marked.shape[1]])
    return {
        "part": np.tile(parts, len(seeds)),
        "seed": np.repeat(seeds, len(parts)),
        "x": places[..., 0].ravel(),
        "y": places[..., 1].ravel(),
        "label": np.concatenate([labels, np.full(marked.shape[:2], np.nan)], 1).ravel(),
    }


def _permuted(point: Point, context: Context, sets: Sets) -> tuple[Sets, list[Optima]]:
    """The same points with their labels in another order."""
    inputs, labels = sets.data
    orders = [torch.from_numpy(stream.permutation(labels.shape[1])) for stream in context.streams("permuted")]
    drawn = torch.stack([of[order] for of, order in zip(labels, orders, strict=True)])
    pairs = zip(inputs.numpy(), drawn.numpy(), strict=True)
    return sets._replace(data=Labelled(inputs, drawn)), [optima_of(x, y, point.tolerance) for x, y in pairs]


def _optima(labels: str, sets: Sets, optima: list[Optima], seeds: tuple[int, ...]) -> dict[str, Any]:
    points = sets.shown(sets.data.inputs.numpy()[..., 1:])
    lines = [best_line(x, y) for x, y in zip(points, sets.data.labels.numpy(), strict=True)]
    return {
        "labels": labels,
        "seed": seeds,
        "f1_lower": [of.f1.lower for of in optima],
        "f1_upper": [of.f1.upper for of in optima],
        "atoms": [len(of.f1.masses) for of in optima],
        "points": points.shape[1],
        "f2_lower": [of.f2.lower for of in optima],
        "f2_upper": [of.f2.upper for of in optima],
        "svm": [np.nan if found is None else found[2] for found in lines],
    }


def _atoms(optima: list[Optima], seeds: tuple[int, ...]) -> dict[str, Any]:
    directions = np.concatenate([of.f1.directions for of in optima])
    return {
        "seed": np.repeat(seeds, [len(of.f1.masses) for of in optima]),
        "u": directions[:, 1],
        "v": directions[:, 2],
        "mass": np.concatenate([of.f1.masses for of in optima]),
    }


def _features(point: Point, context: Context, sets: Sets, optima: list[Optima]) -> Iterator[Block]:
    limits = np.array([of.f2.upper for of in optima])
    for features in point.features:
        streams = context.streams("features")
        for draw in range(DRAWS):
            drawn = normal(streams, (features, 3))
            ratio = _largest_with(Wide(drawn, drawn[..., 0]), sets) / limits
            yield "features", {"features": features, "seed": context.seeds, "draw": draw, "ratio": ratio}


def _particles(network: Wide, shown: int, seeds: tuple[int, ...]) -> dict[str, Any]:
    means = network.balanced().double().cpu().numpy() / 2
    hidden, output = (weights[:, :shown].double().cpu().numpy() for weights in network)
    scaled = hidden * np.abs(output)[..., None]
    return {
        "seed": np.repeat(seeds, output.shape[1]),
        "unit": np.tile(np.arange(output.shape[1]), len(seeds)),
        "u": scaled[..., 1].ravel(),
        "v": scaled[..., 2].ravel(),
        "positive": (output > 0).ravel(),
        "mean": np.repeat(means, output.shape[1]),
    }


def _surfaces(
    resolution: int, sets: Sets, optima: list[Optima], networks: dict[str, Wide], seeds: tuple[int, ...]
) -> Iterator[Block]:
    """What each classifier gives on the shown square, and where trained and exact ones agree."""
    axis = np.linspace(-HALF, HALF, resolution)
    places = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    square = np.column_stack([np.ones(len(places)), places])
    shown = sets.shown(places)
    heights: dict[str, list[Floats]] = {name: [] for name in ("both", "output", "f1", "f2", "svm")}
    for index, (inputs, labels) in enumerate(zip(*(part.numpy() for part in sets.data), strict=True)):
        everywhere = np.concatenate([square, inputs])
        f1, f2 = optima[index]
        found = {
            "f1": values(everywhere, f1.directions) @ f1.masses,
            "f2": relu_gram(everywhere, inputs) @ f2.coefficients,
            "svm": np.full(len(everywhere), np.nan),
        }
        if (best := best_line(inputs[:, 1:], labels)) is not None:
            found["svm"] = everywhere[:, 1:] @ best[0] - best[1]
        for method, network in networks.items():
            of_seed = Wide(*(weights[index : index + 1] for weights in network))
            found[method] = (
                of_seed.values(torch.from_numpy(everywhere[None]).to(of_seed.output))[0].double().cpu().numpy()
            )
        for name, height in found.items():
            heights[name].append(_scaled(height[: len(square)], height[len(square) :] * labels))
    for name, of_seeds in heights.items():
        yield (
            "surfaces",
            {
                "classifier": name,
                "seed": np.repeat(seeds, len(shown)),
                "x": np.tile(shown[:, 0], len(seeds)),
                "y": np.tile(shown[:, 1], len(seeds)),
                "value": np.concatenate(of_seeds).astype(np.float32),
            },
        )
    for name in networks:
        for optimum in ("f1", "f2"):
            same = np.sign(heights[name]) == np.sign(heights[optimum])
            yield "agreement", {"classifier": name, "optimum": optimum, "seed": seeds, "share": same.mean(1)}


def _scaled(heights: Floats, signed: Floats) -> Floats:
    """Heights over the least of the signed ones on the samples; over their median size if one has the wrong sign."""
    scale = signed.min() if signed.min() > 0 else np.median(np.abs(signed))
    return heights / (scale or 1.0)
