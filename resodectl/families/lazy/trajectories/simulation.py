"""Full-batch descent in the plane from all init scales, and the lazy limit of each run in closed form.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), Figure 1a and b. Gradient flow of both layers keeps a_j^2 - |b_j|^2 of
every unit; a step of descent changes it by lr^2 (|grad_a|^2 - |grad_b|^2), since relu is homogeneous. Over all steps
and units this is at most lr times what the loss has lost, up to a factor 1 / (1 - lr lambda / 2), lambda being the
largest curvature on the way.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.lazy.students import (
    TEACHER_SIGNS,
    Samples,
    Sizes,
    Student,
    gradients,
    half_mean_square,
    on_sphere,
    residuals,
    teacher,
)
from resodectl.families.lazy.tangent import tangent_kernel
from resodectl.families.lazy.trajectories.planar import descend_in_plane
from resodectl.families.lazy.trajectories.spec import Point
from resodectl.numerics.draws import uniform
from resodectl.numerics.kernels.descent import after_steps, modes

Rows = tuple[str, dict[str, Any]]
CLOSE = math.cos(math.radians(5))


class Runs(NamedTuple):
    """All runs, seed by seed, in each by what is trained, then by init scale.

    Attributes:
        data: a group a seed.
        teachers: one a seed.
        first: weights at the start.
        trains: 1 where the output layer is trained, else 0, `(runs,)`.
    """

    data: Samples
    teachers: Student
    first: Student
    trains: torch.Tensor


def simulate(cell: Cell[Point], context: Context) -> Iterator[Rows]:
    """The weights and summaries of all runs at each recorded step; the teachers."""
    point = cell.point
    runs = draw(point, context)
    steps = recorded(point.steps, point.records)
    lazy = lazy_weights(point, runs, steps)
    by = Sizes(point.lr * torch.ones_like(runs.trains), point.lr * runs.trains)
    student, done = runs.first, 0
    for index, step in enumerate(steps):
        if step > done:
            student, done = descend_in_plane(student, runs.data, by, step - done), step
        moved = Student(*(of[index] for of in lazy))
        yield "runs", {**_labels(cell, step, 1), **_summary(point, runs, student, moved)}
        yield "paths", {**_labels(cell, step, point.width), **_places(student)}
        context.progress(index / len(steps))
    yield "teachers", {"seed": np.repeat(cell.seeds, len(TEACHER_SIGNS)), **_places(runs.teachers)}


def recorded(steps: int, records: int) -> list[int]:
    """The start, and at most `records` numbers of steps in equal ratios, up to the last.

    >>> recorded(100, 3)
    [0, 1, 10, 100]
    """
    return [0, *sorted({round(steps ** (k / (records - 1))) for k in range(records)})]


def draw(point: Point, context: Context) -> Runs:
    """The runs: b_j uniform on the circle, a_j uniform on (0, 1), both doubled and multiplied by tau."""
    streams, groups = context.streams, len(context.seeds)
    inputs, teachers = on_sphere(streams("train"), point.samples, 2), teacher(streams("teacher"), 2)
    units = point.width // 2
    first = Student(on_sphere(streams("hidden"), units, 2), uniform(streams("output"), (units,))).doubled()

    def placed(of: torch.Tensor) -> torch.Tensor:
        return of.to(context.device, context.dtype)

    taus = torch.tensor(point.init_scales).double().repeat(groups * len(point.trained))
    trains = torch.tensor([float(layers == "both") for layers in point.trained])
    students = first.repeated(len(taus) // groups).scaled(taus)
    return Runs(
        Samples(placed(inputs), placed(teachers.values(inputs))),
        Student(*map(placed, teachers)),
        Student(*map(placed, students)),
        placed(trains.repeat_interleave(len(point.init_scales)).repeat(groups)),
    )


def lazy_weights(point: Point, runs: Runs, steps: list[int]) -> Student:
    """How far the weights of the linearised runs are from the start after each number of steps: w(k) - w0.

    They are `(steps, runs, m, 2)` and `(steps, runs, m)`.
    """
    data, first = runs.data, runs.first
    each = len(first.output) // len(data.inputs)
    inputs, targets = data.inputs.repeat_interleave(each, 0), data.targets.repeat_interleave(each, 0)
    hidden, both = (tangent_kernel(first, inputs, inputs, layers) for layers in ("hidden", "both"))
    kernel = torch.where(runs.trains[:, None, None] > 0, both, hidden)
    coefficients = after_steps(modes(kernel, targets), steps, point.lr)  # (runs, n, steps)
    moved = [gradients(first, data.inputs, of * point.samples) for of in coefficients.unbind(2)]
    return Student(
        torch.stack([of.hidden for of in moved]),
        torch.stack([of.output * runs.trains.unsqueeze(1) for of in moved]),
    )


def _summary(point: Point, runs: Runs, student: Student, lazy: Student) -> dict[str, Any]:
    first, data, one = runs.first, runs.data, torch.ones_like(runs.trains)
    start, moved, expected = _flat(first), _flat(student) - _flat(first), _flat(lazy)
    losses = [half_mean_square(residuals(of, data, one)) for of in (first, student)]
    drift = (_balance(student) - _balance(first)).abs().sum(1)
    return {
        "train_loss": losses[1].cpu(),
        "movement": (moved.norm(dim=1) / start.norm(dim=1)).cpu(),
        "lazy_movement": (expected.norm(dim=1) / start.norm(dim=1)).cpu(),
        "lazy_distance": ((moved - expected).norm(dim=1) / expected.norm(dim=1)).cpu(),
        "directions": directions(student).cpu(),
        "alignment": alignment(student, runs.teachers).cpu(),
        "drift": (drift / (point.lr * (losses[0] - losses[1]))).cpu(),
    }


def directions(student: Student) -> torch.Tensor:
    """Effective number of directions of the units of each run, `(runs,)`: 1 / sum_jk p_j p_k over close units.

    p_j is the share of |a_j| |b_j|; units are close that have one sign of a and are at most 5 degrees apart. For equal
    shares on k directions that are far apart it is k.
    """
    share = _mass(student)
    share = share / share.sum(1, keepdim=True)
    unit = student.hidden / student.hidden.norm(dim=2, keepdim=True)
    signs = student.output.sign()
    close = (torch.bmm(unit, unit.mT) >= CLOSE) & (signs.unsqueeze(1) == signs.unsqueeze(2))
    return 1 / torch.einsum("rj,rjk,rk->r", share, close.to(share.dtype), share)


def alignment(student: Student, teachers: Student) -> torch.Tensor:
    """The cosine of a unit with the nearest teacher unit of its sign of a, mean by |a_j| |b_j|, `(runs,)`.

    The runs of a teacher stand side by side.
    """
    each = len(student.output) // len(teachers.output)
    known, signs = teachers.hidden.repeat_interleave(each, 0), teachers.output.repeat_interleave(each, 0)
    unit = student.hidden / student.hidden.norm(dim=2, keepdim=True)
    cosine = torch.bmm(unit, known.mT)
    same = student.output.sign().unsqueeze(2) == signs.unsqueeze(1)
    mass = _mass(student)
    return (torch.where(same, cosine, -1.0).amax(2) * mass).sum(1) / mass.sum(1)


def _mass(student: Student) -> torch.Tensor:
    return student.output.abs() * student.hidden.norm(dim=2)


def _balance(student: Student) -> torch.Tensor:
    return student.output.square() - student.hidden.square().sum(2)


def _flat(student: Student) -> torch.Tensor:
    return torch.cat([student.hidden.flatten(1), student.output], 1)


def _labels(cell: Cell[Point], step: int, times: int) -> dict[str, Any]:
    """The columns that say which run a row is of; each run has `times` rows."""
    scales, trained = cell.point.init_scales, cell.point.trained
    return {
        "init_scale": np.tile(np.repeat(scales, times), len(cell.seeds) * len(trained)),
        "trained": np.tile(np.repeat(trained, times * len(scales)), len(cell.seeds)),
        "seed": np.repeat(cell.seeds, times * len(scales) * len(trained)),
        "step": step,
    }


def _places(student: Student) -> dict[str, Any]:
    """Each unit's |a_j| b_j and the sign of a_j."""
    places = (student.hidden * student.output.abs().unsqueeze(2)).flatten(0, 1).cpu()
    return {
        "unit": np.tile(np.arange(student.output.shape[1]), len(student.output)),
        "x_1": places[:, 0],
        "x_2": places[:, 1],
        "positive": (student.output > 0).flatten().cpu(),
    }
