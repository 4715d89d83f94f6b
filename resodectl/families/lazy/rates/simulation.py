"""Descent of alpha h beside that of its linearisation, all scales and seeds at once, and what their gaps tend to.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956). The flow is w' = -(1/alpha) Dh(w)^T (alpha h(w) - y) / n, that of
half the mean square over alpha^2; wbar follows it with hbar(w) = h(w0) + Dh(w0) (w - w0). Both take the same steps of
Euler's method. For the limits, w = w0 + v / alpha + z / alpha^2 + ...: v is the lazy limit, and z is linear in what
the second derivative of h makes of v.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.lazy.rates.spec import Point, Start
from resodectl.families.lazy.students import (
    ActivationName,
    Student,
    backward,
    forward,
    gradients,
    normal_student,
    on_sphere,
    teacher,
)
from resodectl.numerics.kernels.descent import after_flow, modes


class Task(NamedTuple):
    """What is learnt from: inputs `(seeds, n, d)`, targets `(seeds, n)`, and a student that starts, h = s f."""

    inputs: torch.Tensor
    targets: torch.Tensor
    student: Student
    activation: ActivationName

    @property
    def scale(self) -> float:
        """s = 1/sqrt(m)."""
        return float(self.student.output.shape[1] ** -0.5)

    def jacobian(self) -> torch.Tensor:
        """Dh at the start, `(seeds, n, parameters)`."""
        seeds, count, _ = self.inputs.shape
        one_each = torch.eye(count, dtype=self.inputs.dtype, device=self.inputs.device).repeat(seeds, 1) * count
        rows = gradients(self.student.repeated(count), self.inputs, one_each, self.activation)
        return self.scale * flat(rows).view(seeds, count, -1)


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """The gaps of one activation and start, a block for each time."""
    point, seeds = cell.point, np.array(cell.seeds)
    task = draw_task(point, context)
    steps = [round(time / point.step) for time in point.times]
    alphas = torch.tensor(point.alphas, dtype=context.dtype, device=context.device)
    jacobian = task.jacobian()
    kernel = jacobian @ jacobian.mT
    coefficients = after_flow(modes(kernel, task.targets), [point.times[-1]])
    limit = (coefficients.mT @ kernel @ coefficients).flatten().sqrt()
    second = expanded_gaps(task, jacobian, point.step, steps[-1])
    for time, gaps in zip(
        point.times, largest_gaps(task, jacobian, alphas, point.start, point.step, steps), strict=True
    ):
        limits = (of.repeat_interleave(len(alphas)) for of in (limit, *second))
        yield (
            "gaps",
            {
                "seed": seeds.repeat(len(alphas)),
                "alpha": np.tile(point.alphas, len(seeds)),
                "time": time,
                **{name: of.double().cpu() for name, of in zip(GAPS, gaps, strict=True)},
                **{f"limit_{name}": of.double().cpu() for name, of in zip(GAPS, limits, strict=True)},
            },
        )
        context.progress(time / point.times[-1])


GAPS = ("movement", "parameter_gap", "output_gap")


def draw_task(point: Point, context: Context) -> Task:
    """The task of each seed; a doubled student has half of the units drawn, and their copies."""
    streams, drawn = context.streams, point.width // 2 if point.start == "doubled" else point.width
    inputs = on_sphere(streams("inputs"), point.sample_size, point.dim)
    targets = teacher(streams("teacher"), point.dim).values(inputs)
    student = normal_student(streams("hidden"), streams("output"), drawn, point.dim)
    student = student.doubled() if point.start == "doubled" else student
    moved = [of.to(context.device, context.dtype) for of in (inputs, targets, *student)]
    return Task(moved[0], moved[1], Student(*moved[2:]), point.activation)


def largest_gaps(
    task: Task, jacobian: torch.Tensor, alphas: torch.Tensor, start: Start, step: float, steps: list[int]
) -> Iterator[torch.Tensor]:
    """The largest |w - w0|, |w - wbar| and rms of alpha h(w) - alpha hbar(wbar) so far, after each number of steps.

    Each is `(3, seeds * alphas)`, seeds first. The linearised model is stepped in theta, where alpha (wbar - w0) is
    Dh^T theta.
    """
    seeds, count = task.targets.shape
    first = task.student.repeated(len(alphas))
    moved, scales = Student(first.hidden.clone(), first.output.clone()), alphas.repeat(seeds).unsqueeze(1)
    kernel = jacobian @ jacobian.mT
    at_start = task.scale * scales * first.values(task.inputs, task.activation)  # alpha h(w0)
    targets, offset = task.targets.repeat_interleave(len(alphas), 0), at_start
    if start == "uncentred":
        offset = torch.zeros_like(at_start)
    of_linear = targets - at_start + offset
    theta = torch.zeros_like(targets)
    largest = targets.new_zeros(3, len(targets))
    for done in range(steps[-1] + 1):
        passed = forward(moved, task.inputs, task.activation)
        outputs = task.scale * scales * passed.values - offset
        linear = (theta.view(seeds, -1, count) @ kernel).view(len(targets), count)
        ahead = (theta.view(seeds, -1, count) @ jacobian).view(len(targets), -1) / scales
        change = flat(Student(moved.hidden - first.hidden, moved.output - first.output))
        gap = outputs - (at_start - offset) - linear
        now = [change.norm(dim=1), (change - ahead).norm(dim=1), gap.square().mean(1).sqrt()]
        largest = torch.maximum(largest, torch.stack(now))
        if done in steps:
            yield largest
        slope = backward(moved, task.inputs, outputs - targets, passed.units).scaled(step * task.scale / scales)
        moved = Student(moved.hidden - slope.hidden, moved.output - slope.output)
        theta = theta + step * (of_linear - linear) / count


def expanded_gaps(task: Task, jacobian: torch.Tensor, step: float, steps: int) -> torch.Tensor:
    """The limits of alpha^2 |w - wbar| and of alpha rms(alpha h - alpha hbar) for h(w0) = 0, largest until a step.

    With G(w, r) = Dh(w)^T r / n and e = Dh v - y: v' = -G(w0, e), and z' = -(D_w G(w0, e)[v] + G(w0, Dh z + q)) with
    q = D^2 h[v, v] / 2. The gaps tend to |z| and the rms of Dh z + q: `(2, seeds)`.
    """
    inputs, count, scale = task.inputs, task.targets.shape[1], task.scale
    units = forward(task.student, inputs, task.activation).units
    slope, curved = units.slope.to(inputs.dtype), units.second()
    weights = task.student.output.unsqueeze(1)  # (seeds, 1, m)
    first = second = jacobian.new_zeros(len(jacobian), jacobian.shape[2], 1)
    gaps = task.targets.new_zeros(2, len(task.targets))
    for _ in range(steps):
        change = unflat(first.squeeze(2), task.student)
        along = change.hidden @ inputs.mT  # how the units' preactivations change, (seeds, m, n)
        bend = change.output.unsqueeze(1) @ (slope * along) + weights @ (curved * along.square()) / 2
        behind = jacobian @ second + scale * bend.mT
        errors = (jacobian @ first).squeeze(2) - task.targets
        shared = scale / count * errors.unsqueeze(1)
        pull = (shared * (change.output.unsqueeze(2) * slope + weights.mT * curved * along)) @ inputs
        turned = flat(Student(pull, (shared * slope * along).sum(2)))
        first, second = (
            first - step / count * (jacobian.mT @ errors.unsqueeze(2)),
            second - step * (turned.unsqueeze(2) + jacobian.mT @ behind / count),
        )
        gaps = torch.maximum(gaps, torch.stack([second.norm(dim=(1, 2)), behind.square().mean((1, 2)).sqrt()]))
    return gaps


def flat(student: Student) -> torch.Tensor:
    """All parameters of each run, `(runs, m d + m)`."""
    return torch.cat([student.hidden.flatten(1), student.output], 1)


def unflat(parameters: torch.Tensor, like: Student) -> Student:
    """The student of flat parameters `(runs, m d + m)`."""
    hidden, output = parameters.split([like.hidden[0].numel(), like.output.shape[1]], 1)
    return Student(hidden.view_as(like.hidden), output)
