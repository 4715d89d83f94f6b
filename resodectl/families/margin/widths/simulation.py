"""Ascent of both layers; the SVM of the kernel of finitely or infinitely many units; column generation from a network.

Chizat & Bach 2020 (arXiv 2002.04486). The search for the largest margin of both layers starts from the directions of a
trained network, which hold nearly all that it needs. For d = 3 it looks at all directions, and its upper bound is
certified. Else it climbs the sphere from many starts, and its upper bound is an estimate.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.margin.ascent import Ascent, Labelled, Wide, ascend_both, begin, normal_start
from resodectl.families.margin.clusters import draw_clusters
from resodectl.families.margin.widths.spec import Point
from resodectl.numerics.draws import normal
from resodectl.numerics.laws.arc_cosine import relu_gram
from resodectl.numerics.margins.kernel_svm import kernel_svm
from resodectl.numerics.margins.variation_norm import (
    ADDED,
    Floats,
    MaxMargin,
    Priced,
    Pricer,
    arrangement,
    ascent,
    max_margin,
)

PART = 500  # steps between two moments at which a cell may be stopped
STARTS = 100  # random directions that are climbed from in each round, beside the latest ones
LATEST = 150  # current directions that are climbed from

Rows = tuple[str, dict[str, Any]]


def simulate(cell: Cell[Point], context: Context) -> Iterator[Rows]:
    """The margins of one cell."""
    point = cell.point
    data = draw_clusters(context.streams, "train", point.sample_size, point.dim, point.discs, point.labelling)
    if point.method == "both":
        yield from _trained(cell, context, data)
        return
    if point.method == "largest-both":
        found = _largest(point, context, data)
        margins = [(of.lower, of.upper) for of in found]
    else:
        if point.method == "output":
            hidden = normal(context.streams("features"), (point.width, point.dim))
            units = torch.bmm(hidden, data.inputs.mT).clamp_min_(0)
            grams = (torch.bmm(units.mT, units) / point.width).numpy()
        else:
            grams = relu_gram(data.inputs.numpy(), data.inputs.numpy())
        solved = [kernel_svm(gram, labels.numpy()) for gram, labels in zip(grams, data.labels, strict=True)]
        margins = [(of.lower, of.upper) for of in solved]
    lower, upper = np.array(margins).T
    yield "margins", {"seed": list(cell.seeds), "step": 0, "budget": 0.0, "margin": lower, "upper": upper}


def _trained(cell: Cell[Point], context: Context, data: Labelled) -> Iterator[Rows]:
    point, kept = cell.point, context.restore()
    data = Labelled(*(values.to(context.device, context.dtype) for values in data))
    if kept is None:
        ascent = begin(_start(point, context, point.width))
    else:
        hidden, output, best = (kept[name].to(context.device) for name in ("hidden", "output", "best"))
        ascent = Ascent(Wide(hidden, output), kept["step"], best)
    while ascent.step < point.steps[-1]:
        stop = next(stop for stop in point.steps if stop > ascent.step)
        ascent = ascend_both(ascent, data, point.lr, min(PART, stop - ascent.step))
        if ascent.step in point.steps:
            done = {"step": ascent.step, "budget": ascent.step / point.steps[-1]}
            margins = {"margin": ascent.best.double().cpu(), "upper": np.nan}
            yield "margins", {"seed": list(cell.seeds), **done, **margins}
        context.save({**ascent.network._asdict(), "step": ascent.step, "best": ascent.best})
        context.progress(ascent.step / point.steps[-1])


def _start(point: Point, context: Context, width: int) -> Wide:
    start = normal_start(context.streams("hidden"), context.streams("output"), width, point.dim)
    return Wide(*(weights.to(context.device, context.dtype) for weights in start))


def _largest(point: Point, context: Context, data: Labelled) -> list[MaxMargin]:
    training = Labelled(*(values.to(context.device, context.dtype) for values in data))
    first = begin(_start(point, context, point.search_width))
    hidden = ascend_both(first, training, point.lr, point.search_steps).network.hidden
    # The search begins as well with the first directions, where training has diverged.
    usable = torch.where(hidden.isfinite().all(2, keepdim=True), hidden, first.network.hidden).double()
    directions = (usable / usable.norm(dim=2, keepdim=True)).cpu().numpy()
    found = []
    for run, stream in enumerate(context.streams("pricing")):
        inputs, labels = data.inputs[run].numpy(), data.labels[run].numpy()
        pricer = arrangement(inputs) if point.dim == 3 else _latest(ascent(inputs, STARTS, stream))
        found.append(
            max_margin(
                inputs, labels, _beginning_with(directions[run], pricer),
                tolerance=point.tolerance, rounds=point.search_rounds + -(-point.search_width // ADDED),
            )
        )  # fmt: skip
        context.progress((run + 1) / len(context.seeds))
    return found


def _beginning_with(directions: Floats, pricer: Pricer) -> Pricer:
    """A pricer that lets given directions enter in its first rounds, which bound nothing."""
    waiting = np.array_split(directions, -(-len(directions) // ADDED))

    def price(r: Floats, current: Floats) -> Priced:
        return Priced(waiting.pop(0), np.inf) if waiting else pricer(r, current)

    return price


def _latest(pricer: Pricer) -> Pricer:
    """A pricer that is shown the latest directions alone: each round costs the same."""
    return lambda r, current: pricer(r, current[-LATEST:])
