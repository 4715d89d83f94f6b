"""SGD on fresh samples, all init scales of a seed on the same ones.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), Figure 2b, and the steps of their code: the student is
(1/m) sum_j a_j relu(<b_j, x>), and with v the gradient of (1/batch) sum_i r_i sum_j a_j relu(<b_j, x_i>) without the
factor 1/m, the step is lr v in the output weights and d lr v in the input weights.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.lazy.population.spec import Point
from resodectl.families.lazy.students import (
    Samples,
    Sizes,
    Student,
    descend,
    half_mean_square,
    normal_student,
    on_sphere,
    residuals,
    teacher,
)

PART = 50  # batches that are drawn at once


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """The losses of all init scales, a block for each window."""
    point, seeds = cell.point, np.array(cell.seeds)
    scales = torch.tensor(point.init_scales, dtype=torch.float64).repeat(len(seeds))
    lr = (point.lr / scales.square()).clamp(max=point.largest_lr).to(context.device, context.dtype)
    by, scale = Sizes(point.dim * lr, lr), torch.full_like(lr, 1 / point.width)
    shown = teacher(context.streams("teacher"), point.dim)
    shown = _moved(shown._replace(output=shown.output / point.teacher_divisor), context)
    student, done = _moved(start(point, context), context), 0
    if (kept := context.restore()) is not None:
        student, done = Student(*(of.to(context.device) for of in kept["student"])), kept["done"]
    else:
        (batch,) = fresh(point, context, shown, 0, 1)
        wrong, targets = residuals(student, batch, scale), batch.targets
        yield _rows(point, seeds, 0, half_mean_square(wrong), half_mean_square(targets))
    while done < point.steps:
        losses, nulls = lr.new_zeros(len(lr), dtype=torch.float64), lr.new_zeros(len(seeds), dtype=torch.float64)
        for first in range(done, done + point.window, PART):
            batches = fresh(point, context, shown, first, min(PART, done + point.window - first))
            trained = descend(student, batches, by, scale)
            student, losses = trained.student, losses + trained.losses.double().sum(0)
            nulls += torch.stack([half_mean_square(of.targets) for of in batches]).double().sum(0)
        done += point.window
        yield _rows(point, seeds, done, losses / point.window, nulls / point.window)
        context.save({"student": list(student), "done": done})
        context.progress(done / point.steps)


def start(point: Point, context: Context) -> Student:
    """A doubled student of each seed at each init scale, all multiples of one draw, `(seeds * scales, ...)`."""
    hidden, output = context.streams("hidden"), context.streams("output")
    drawn = normal_student(hidden, output, point.width // 2, point.dim).doubled()
    factors = torch.tensor(point.init_scales, dtype=torch.float64).repeat(len(context.seeds))
    return drawn.repeated(len(point.init_scales)).scaled(factors)


def fresh(point: Point, context: Context, shown: Student, first: int, count: int) -> list[Samples]:
    """The batches of some steps; those of a step depend on the seed and on the step that the part begins with."""
    inputs = on_sphere(context.streams("batches", first), count * point.batch, point.dim)
    inputs = inputs.to(context.device, context.dtype)
    targets = shown.values(inputs)
    parts = zip(inputs.split(point.batch, 1), targets.split(point.batch, 1), strict=True)
    return [Samples(x.contiguous(), y.contiguous()) for x, y in parts]


def _rows(
    point: Point, seeds: np.ndarray, step: int, losses: torch.Tensor, nulls: torch.Tensor
) -> tuple[str, dict[str, Any]]:
    finite = torch.where(losses.isfinite(), losses, math.nan)  # a student that has diverged has no loss
    return "losses", {
        "init_scale": np.tile(point.init_scales, len(seeds)),
        "seed": seeds.repeat(len(point.init_scales)),
        "step": step,
        "population_loss": finite.double().cpu(),
        "null_loss": nulls.double().cpu().repeat_interleave(len(point.init_scales)),
    }


def _moved(student: Student, context: Context) -> Student:
    return Student(*(of.to(context.device, context.dtype) for of in student))
