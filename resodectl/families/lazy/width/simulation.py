"""Full-batch descent of the students of all seeds of one width and scaling.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), Figure 2a: both layers start from standard normal weights, the steps are
those of descent on loss / s^2 with the scale s, and a learning rate that falls like 1/m.
"""

import math
from collections.abc import Iterator
from itertools import repeat
from typing import Any

import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
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
from resodectl.families.lazy.width.spec import Point

PART = 250  # steps between two moments at which a cell may be stopped


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """The losses of one width and scaling, a block for each number of steps, 0 among them."""
    point, steps = cell.point, cell.point.descent.steps
    train, test = samples(point, context)
    scale = test.targets.new_full((len(cell.seeds),), point.width ** (-0.5 if point.scaling == "inverse-root" else -1))
    by = sizes(torch.full_like(scale, point.descent.lr / point.width), scale)
    kept = context.restore()
    done = 0 if kept is None else kept["done"]
    student = start(point, context) if kept is None else Student(*(of.to(context.device) for of in kept["student"]))
    if kept is None:
        yield _rows(cell, 0, student, train, test, scale)
    while done < steps[-1]:
        more = min(PART, next(stop for stop in steps if stop > done) - done)
        student, done = descend(student, repeat(train, more), by, scale).student, done + more
        if done in steps:
            yield _rows(cell, done, student, train, test, scale)
        context.save({"done": done, "student": list(student)})
        context.progress(done / steps[-1])


def samples(point: Point, context: Context) -> tuple[Samples, Samples]:
    """Those to train on and those to test on."""
    shown = teacher(context.streams("teacher"), point.dim)
    shown = shown._replace(output=point.teacher_factor * shown.output)
    both = []
    for part in ("train", "test"):
        inputs = on_sphere(context.streams(part), point.sample_size, point.dim)
        both.append(Samples(*(of.to(context.device, context.dtype) for of in (inputs, shown.values(inputs)))))
    return both[0], both[1]


def start(point: Point, context: Context) -> Student:
    """Standard normal weights; those of a narrow student are the first of a wide one."""
    drawn = normal_student(context.streams("hidden"), context.streams("output"), point.width, point.dim)
    return Student(*(of.to(context.device, context.dtype) for of in drawn))


def _rows(
    cell: Cell[Point], step: int, student: Student, train: Samples, test: Samples, scale: torch.Tensor
) -> tuple[str, dict[str, Any]]:
    trained, tested = (half_mean_square(residuals(student, of, scale)).double() for of in (train, test))
    return "losses", {
        "seed": list(cell.seeds),
        "step": step,
        "share_done": step / cell.point.descent.steps[-1],
        "train_loss": torch.where(trained.isfinite(), trained, math.nan).cpu(),  # NaN: the student has diverged
        "test_loss": torch.where(tested.isfinite(), tested, math.nan).cpu(),
        "null_loss": half_mean_square(test.targets).double().cpu(),
    }
