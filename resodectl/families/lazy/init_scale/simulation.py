"""Full-batch descent from all init scales and draws of a cell at once, or its lazy limit in closed form.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), Figure 1c. With both layers multiplied by tau, the output has the
scale alpha = tau^2, and the tangent kernel at the start is tau^2 K, K being that of tau = 1.
"""

from collections.abc import Iterator
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.lazy.init_scale.spec import Point
from resodectl.families.lazy.students import (
    Samples,
    Student,
    descend,
    half_mean_square,
    normal_student,
    on_sphere,
    residuals,
    sizes,
    teacher,
)
from resodectl.families.lazy.tangent import tangent_kernel
from resodectl.numerics.kernels.descent import after_steps, modes

Rows = tuple[str, dict[str, Any]]


class Drawn(NamedTuple):
    """What a seed draws, a group each: training and test samples, and the student with tau = 1."""

    train: Samples
    test: Samples
    first: Student


def simulate(cell: Cell[Point], context: Context) -> Iterator[Rows]:
    """The losses of every run, a block of rows for each recorded step."""
    drawn = draw(cell.point, context)
    yield from _lazy(cell, drawn) if cell.point.model == "lazy" else _descent(cell, context, drawn)


def draw(point: Point, context: Context) -> Drawn:
    """The draws of all seeds: of inputs on the sphere, a teacher and first weights; no draw depends on tau."""
    streams = context.streams
    of_teacher = teacher(streams("teacher"), point.dim)

    def placed(of: torch.Tensor) -> torch.Tensor:
        return of.to(context.device, context.dtype)

    def samples(part: str, count: int) -> Samples:
        inputs = on_sphere(streams(part), count, point.dim)
        return Samples(placed(inputs), placed(of_teacher.values(inputs)))

    doubled = point.start == "doubled"
    units = point.width // 2 if doubled else point.width
    first = normal_student(streams("hidden"), streams("output"), units, point.dim)
    first = first.doubled(positive=True) if doubled else first
    return Drawn(samples("train", point.samples), samples("test", point.test), Student(*map(placed, first)))


def learning_rates(point: Point) -> list[float]:
    """The learning rate of each init scale, on the loss as it is: min(largest, lr / tau^2)."""
    return [min(point.largest_lr, point.lr / tau**2) for tau in point.init_scales]


def _descent(cell: Cell[Point], context: Context, drawn: Drawn) -> Iterator[Rows]:
    point, groups = cell.point, len(cell.seeds)
    like = drawn.first.output
    taus, lrs = (like.new_tensor(of).repeat(groups) for of in (point.init_scales, learning_rates(point)))
    one = torch.ones_like(taus)
    kept = context.restore()
    if kept is None:
        student, step = drawn.first.repeated(len(point.init_scales)).scaled(taus), 0
        yield _rows(cell, step, *_losses(student, drawn, one))
    else:
        student, step = Student(*(kept[name].to(context.device) for name in ("hidden", "output"))), kept["step"]
    while step < point.steps:
        student = descend(student, repeat(drawn.train, point.every), sizes(lrs, one), one).student
        step += point.every
        yield _rows(cell, step, *_losses(student, drawn, one))
        context.save({"hidden": student.hidden, "output": student.output, "step": step})
        context.progress(step / point.steps)


def _losses(student: Student, drawn: Drawn, scale: torch.Tensor) -> list[torch.Tensor]:
    return [half_mean_square(residuals(student, data, scale)) for data in (drawn.train, drawn.test)]


def _lazy(cell: Cell[Point], drawn: Drawn) -> Iterator[Rows]:
    """The losses of descent on the linearised network, from one eigendecomposition a seed."""
    point, first, parts = cell.point, drawn.first, (drawn.train, drawn.test)
    grams = [tangent_kernel(first, of.inputs, drawn.train.inputs, point.layers) for of in parts]
    starts = [first.values(of.inputs) for of in parts]  # zero if the units are doubled
    of = modes(grams[0], drawn.train.targets)
    off = torch.bmm(of.vectors.mT, starts[0].unsqueeze(2)).squeeze(2)
    steps = range(0, point.steps + 1, point.every)
    for tau, lr in zip(point.init_scales, learning_rates(point), strict=True):
        alpha = tau**2
        left = of._replace(errors=of.errors - alpha * off)
        coefficients = after_steps(left, steps, lr * alpha)  # (seeds, samples, records)
        losses = [
            (alpha * start.unsqueeze(2) + gram @ coefficients - data.targets.unsqueeze(2)).square().mean(1) / 2
            for gram, start, data in zip(grams, starts, parts, strict=True)
        ]
        yield (
            "curves",
            {
                "init_scale": tau,
                "seed": np.repeat(cell.seeds, len(steps)),
                "step": np.tile(steps, len(cell.seeds)),
                "train_loss": losses[0].flatten().cpu(),
                "test_loss": losses[1].flatten().cpu(),
            },
        )


def _rows(cell: Cell[Point], step: int, train: torch.Tensor, test: torch.Tensor) -> Rows:
    scales = cell.point.init_scales
    return (
        "curves",
        {
            "init_scale": np.tile(scales, len(cell.seeds)),
            "seed": np.repeat(cell.seeds, len(scales)),
            "step": step,
            "train_loss": train.double().cpu(),
            "test_loss": test.double().cpu(),
        },
    )
