"""Two-layer students that learn two-layer teachers on the sphere by gradient descent, all runs side by side.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), section 3 and the steps of their code. A student is
s f(x) = s sum_j a_j act(<b_j, x>), without biases. The loss is half the mean square of r = s f - y, and a step of
descent on loss / s^2 is W <- W - (lr / s) grad_W (1/n) sum_i r_i f(x_i). Runs are grouped: the runs of a group share
inputs, and stand side by side, so that group g of k runs has the runs g k to (g + 1) k - 1.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

import torch

from resodectl.numerics.draws import Streams, normal
from resodectl.numerics.networks.activations import ACTIVATIONS, Derivatives

ActivationName = Literal["relu", "tanh", "softplus"]

TEACHER_SIGNS = (1.0, -1.0, 1.0)  # with drawn signs all would be equal once in four times, and the task another


class Student(NamedTuple):
    """Input weights b `(runs, m, d)` and output weights a `(runs, m)`."""

    hidden: torch.Tensor
    output: torch.Tensor

    def values(self, inputs: torch.Tensor, activation: ActivationName = "relu") -> torch.Tensor:
        """f at inputs `(groups, n, d)`, not multiplied by the scale: `(runs, n)`."""
        units = ACTIVATIONS[activation].value(_before(self.hidden, inputs))
        return torch.bmm(self.output.unsqueeze(1), units).squeeze(1)

    def scaled(self, factor: torch.Tensor | float) -> "Student":
        """Both layers multiplied by a factor, or by one factor a run, `(runs,)`."""
        by = torch.as_tensor(factor, dtype=self.output.dtype, device=self.output.device).reshape(-1, 1)
        return Student(self.hidden * by.unsqueeze(2), self.output * by)

    def repeated(self, times: int) -> "Student":
        """Each run `times` times, side by side: the runs of a group that starts from one draw."""
        return Student(self.hidden.repeat_interleave(times, 0), self.output.repeat_interleave(times, 0))

    def doubled(self, *, positive: bool = False) -> "Student":
        """These units, and copies of them with negated output weights: f = 0 exactly, with twice as many units.

        With `positive`, the output weights are replaced by their absolute values first, as in the paper's Fig. 1c.
        """
        output = self.output.abs() if positive else self.output
        return Student(torch.cat([self.hidden, self.hidden], 1), torch.cat([output, -output], 1))


class Samples(NamedTuple):
    """Inputs `(groups, n, d)`, and targets `(groups, n)`, or `(runs, n)` where the runs of a group have different ones.

    Training of the centred output s (f - f_0) on y is training of s f on y + s f_0.
    """

    inputs: torch.Tensor
    targets: torch.Tensor


def on_sphere(streams: Streams, count: int, dim: int) -> torch.Tensor:
    """Points that are uniform on the unit sphere, in float64 on the CPU: `(streams, count, dim)`."""
    points = normal(streams, (count, dim))
    return points / points.norm(dim=2, keepdim=True)


def teacher(streams: Streams, dim: int) -> Student:
    """Three units with input weights uniform on the unit sphere and output weights 1, -1 and 1; a run a stream."""
    hidden = on_sphere(streams, len(TEACHER_SIGNS), dim)
    return Student(hidden, hidden.new_tensor(TEACHER_SIGNS).repeat(len(hidden), 1))


def normal_student(hidden: Streams, output: Streams, width: int, dim: int) -> Student:
    """Standard normal weights of both layers, in float64 on the CPU; a run a stream."""
    return Student(normal(hidden, (width, dim)), normal(output, (width,)))


def residuals(
    student: Student, data: Samples, scale: torch.Tensor, activation: ActivationName = "relu"
) -> torch.Tensor:
    """r = s f - y, `(runs, n)`; the scale is `(runs,)`."""
    values = student.values(data.inputs, activation)
    return values * scale.unsqueeze(1) - _of_runs(data.targets, len(values))


def half_mean_square(residuals: torch.Tensor) -> torch.Tensor:
    """The loss of each run, `(runs,)`."""
    return residuals.square().mean(1) / 2


class Pass(NamedTuple):
    """What a forward pass gives: f, `(runs, n)`, and the units with their slopes, `(runs, m, n)`."""

    values: torch.Tensor
    units: Derivatives


def forward(student: Student, inputs: torch.Tensor, activation: ActivationName) -> Pass:
    """f at inputs `(groups, n, d)`, not multiplied by the scale, and what the gradients need besides."""
    units = ACTIVATIONS[activation].derivatives(_before(student.hidden, inputs))
    return Pass(torch.bmm(student.output.unsqueeze(1), units.value).squeeze(1), units)


def backward(student: Student, inputs: torch.Tensor, residuals: torch.Tensor, units: Derivatives) -> Student:
    """The gradient of (1/n) sum_i r_i f(x_i) with r fixed, after a forward pass.

    In a_j it is (1/n) sum_i r_i act(<b_j, x_i>), and in b_j it is a_j (1/n) sum_i r_i act'(<b_j, x_i>) x_i.
    """
    weights = residuals / residuals.shape[1]
    pull = _pull(units.slope * weights.unsqueeze(1), inputs)
    return Student(pull * student.output.unsqueeze(2), torch.bmm(units.value, weights.unsqueeze(2)).squeeze(2))


def gradients(
    student: Student, inputs: torch.Tensor, residuals: torch.Tensor, activation: ActivationName = "relu"
) -> Student:
    """The gradient of (1/n) sum_i r_i f(x_i) with r fixed, which is `(runs, n)`."""
    return backward(student, inputs, residuals, forward(student, inputs, activation).units)


class Sizes(NamedTuple):
    """What the gradient of (1/n) sum_i r_i f(x_i) is multiplied by in a step, for each run and layer, `(runs,)`."""

    hidden: torch.Tensor
    output: torch.Tensor


def sizes(lr: torch.Tensor, scale: torch.Tensor) -> Sizes:
    """Those of descent with the learning rates `lr` on loss / s^2: lr / s in both layers."""
    return Sizes(lr / scale, lr / scale)


class Descended(NamedTuple):
    """Where descent has got to, and the loss of each run on each batch before the step, `(steps, runs)`."""

    student: Student
    losses: torch.Tensor


def descend(
    student: Student,
    batches: Iterable[Samples],
    by: Sizes,
    scale: torch.Tensor,
    activation: ActivationName = "relu",
) -> Descended:
    """A step of descent on each of the batches, at least one; it never changes the student given.

    Full-batch descent is that on `itertools.repeat(data, steps)`. Splitting the steps over several calls changes
    nothing. All batches have the same shape.
    """
    moved, losses = Student(student.hidden.clone(), student.output.clone()), []
    step = _ReluStep(moved) if activation == "relu" else _Step(moved, activation)
    for batch in batches:
        losses.append(step(batch, by, scale))
    return Descended(moved, torch.stack(losses))


class _Step:
    """A step of any activation, in place; gives the losses before it."""

    def __init__(self, student: Student, activation: ActivationName) -> None:
        self.student, self.activation = student, activation

    def __call__(self, data: Samples, by: Sizes, scale: torch.Tensor) -> torch.Tensor:
        passed = forward(self.student, data.inputs, self.activation)
        wrong = passed.values * scale.unsqueeze(1) - _of_runs(data.targets, len(passed.values))
        slope = backward(self.student, data.inputs, wrong, passed.units)
        self.student.hidden.addcmul_(slope.hidden, by.hidden.view(-1, 1, 1), value=-1)
        self.student.output.addcmul_(slope.output, by.output.view(-1, 1), value=-1)
        return half_mean_square(wrong)


class _ReluStep:
    """The same for relu, with memory for units and slopes that all steps share."""

    def __init__(self, student: Student) -> None:
        self.student = student
        self.units, self.active = torch.empty(0), torch.empty(0)

    def __call__(self, data: Samples, by: Sizes, scale: torch.Tensor) -> torch.Tensor:
        hidden, output = self.student
        runs, width, dim = hidden.shape
        groups, count, _ = data.inputs.shape
        rows = hidden.view(groups, -1, dim)
        if not self.units.numel():
            self.units = rows.new_empty(groups, rows.shape[1], count)
            self.active = torch.empty_like(self.units)
        torch.bmm(rows, data.inputs.mT, out=self.units).clamp_min_(0)
        torch.sign(self.units, out=self.active)
        units, active = (part.view(runs, width, count) for part in (self.units, self.active))
        wrong = torch.bmm(output.unsqueeze(1), units).squeeze(1) * scale.unsqueeze(1)
        wrong -= _of_runs(data.targets, runs)
        weights = wrong / count
        active.mul_(weights.unsqueeze(1))
        pull = torch.bmm(self.active, data.inputs).view(runs, width, dim)
        along = torch.bmm(units, weights.unsqueeze(2)).squeeze(2)
        hidden.addcmul_(pull, (by.hidden.unsqueeze(1) * output).unsqueeze(2), value=-1)
        output.addcmul_(along, by.output.unsqueeze(1), value=-1)
        return half_mean_square(wrong)


def _before(hidden: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """<b_j, x_i>, `(runs, m, n)`."""
    groups, count, dim = inputs.shape
    return torch.bmm(hidden.reshape(groups, -1, dim), inputs.mT).view(len(hidden), -1, count)


def _pull(weights: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """sum_i w_ji x_i of weights `(runs, m, n)`: `(runs, m, d)`."""
    groups, count, dim = inputs.shape
    return torch.bmm(weights.reshape(groups, -1, count), inputs).view(len(weights), -1, dim)


def _of_runs(targets: torch.Tensor, runs: int) -> torch.Tensor:
    """Targets of each run, `(runs, n)`."""
    return targets if len(targets) == runs else targets.repeat_interleave(runs // len(targets), 0)
