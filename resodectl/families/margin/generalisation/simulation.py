"""Both layers by ascent, the output layer of the infinitely wide network by the exact SVM of its arc-cosine kernel.

Chizat & Bach 2020 (arXiv 2002.04486). Their output layer is trained for 50,000 steps; that ascent, too, is here, in its
n x n form. It is far from its limit for long, so that short runs would overstate what both layers gain.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.margin.ascent import (
    Ascent,
    KernelAscent,
    Labelled,
    Wide,
    ascend_both,
    ascend_in_kernel,
    begin,
    begin_in_kernel,
    normal_start,
)
from resodectl.families.margin.clusters import draw_clusters
from resodectl.families.margin.generalisation.spec import Point
from resodectl.numerics.laws.arc_cosine import relu_gram
from resodectl.numerics.margins.kernel_svm import kernel_svm

PART = 500  # steps between two moments at which a cell may be stopped

Rows = tuple[str, dict[str, Any]]


def simulate(cell: Cell[Point], context: Context) -> Iterator[Rows]:
    """The errors of one cell, a block for each recorded step."""
    point = cell.point
    train, test = (
        draw_clusters(context.streams, part, samples, point.dim, point.discs, point.labelling)
        for part, samples in (("train", point.sample_size), ("test", point.test))
    )
    if point.method == "both":
        yield from _both(cell, context, train, test)
        return
    grams = [torch.from_numpy(relu_gram(of.inputs.numpy(), train.inputs.numpy())) for of in (train, test)]
    if point.method == "output":
        solved = [kernel_svm(gram.numpy(), y.numpy()) for gram, y in zip(grams[0], train.labels, strict=True)]
        coefficients = torch.from_numpy(np.stack([of.coefficients for of in solved]))
        yield _rows(cell, 0, _in_kernel(grams[1], coefficients), test, [of.lower for of in solved])
    else:
        yield from _output(cell, context, train, test, (grams[0], grams[1]))


def _both(cell: Cell[Point], context: Context, train: Labelled, test: Labelled) -> Iterator[Rows]:
    point = cell.point
    train, test = (Labelled(*(values.to(context.device, context.dtype) for values in of)) for of in (train, test))
    kept = context.restore()
    if kept is None:
        start = normal_start(context.streams("hidden"), context.streams("output"), point.width, point.dim)
        ascent = begin(Wide(*(weights.to(context.device, context.dtype) for weights in start)))
    else:
        hidden, output, best = (kept[name].to(context.device) for name in ("hidden", "output", "best"))
        ascent = Ascent(Wide(hidden, output), kept["step"], best)
    while ascent.step < point.steps[-1]:
        ascent = ascend_both(ascent, train, point.lr, _until(ascent.step, point.steps))
        if ascent.step in point.steps:
            yield _rows(cell, ascent.step, ascent.network.values(test.inputs), test, ascent.best.double().cpu())
        context.save({**ascent.network._asdict(), "step": ascent.step, "best": ascent.best})
        context.progress(ascent.step / point.steps[-1])


def _output(
    cell: Cell[Point], context: Context, train: Labelled, test: Labelled, grams: tuple[torch.Tensor, torch.Tensor]
) -> Iterator[Rows]:
    point, kept = cell.point, context.restore()
    ascent = begin_in_kernel(train.labels) if kept is None else KernelAscent(**kept)
    while ascent.step < point.output_steps[-1]:
        steps = _until(ascent.step, point.output_steps)
        ascent = ascend_in_kernel(ascent, grams[0], train.labels, point.lr, steps)
        if ascent.step in point.output_steps:
            yield _rows(cell, ascent.step, _in_kernel(grams[1], ascent.coefficients), test, ascent.best)
        context.save(ascent._asdict())
        context.progress(ascent.step / point.output_steps[-1])


def _until(step: int, stops: tuple[int, ...]) -> int:
    """How many steps may be done without passing one at which the error is taken."""
    return min(PART, next(stop for stop in stops if stop > step) - step)


def _in_kernel(gram: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    """The values at the test samples, `(seeds, test)`."""
    return torch.bmm(gram, coefficients.unsqueeze(2)).squeeze(2)


def _rows(cell: Cell[Point], step: int, values: torch.Tensor, test: Labelled, margins: Any) -> Rows:
    wrong = (values * test.labels < 0).double()
    errors = torch.where(values.isfinite(), wrong, math.nan).mean(1).cpu()  # a network that has diverged has no error
    return "errors", {"seed": list(cell.seeds), "step": step, "error": errors, "margin": margins}
