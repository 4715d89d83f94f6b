"""Two-layer students: their gradients against autograd, homogeneity, conservation, doubled starts, teachers."""

from itertools import repeat

import numpy as np
import pytest
import torch

from resodectl.families.lazy.students import (
    ActivationName,
    Samples,
    Sizes,
    Student,
    descend,
    gradients,
    half_mean_square,
    normal_student,
    on_sphere,
    residuals,
    sizes,
    teacher,
)
from resodectl.numerics.networks.activations import ACTIVATIONS

GROUPS, RUNS, WIDTH, DIM, COUNT = 2, 6, 8, 5, 12
ACTIVATION_NAMES: tuple[ActivationName, ...] = ("relu", "tanh", "softplus")


def streams(start: int, count: int = GROUPS) -> list[np.random.Generator]:
    return [np.random.default_rng((start, seed)) for seed in range(count)]


def task(dim: int = DIM) -> Samples:
    inputs = on_sphere(streams(1), COUNT, dim)
    return Samples(inputs, teacher(streams(2), dim).values(inputs))


def start(dim: int = DIM, width: int = WIDTH) -> Student:
    return normal_student(streams(3), streams(4), width, dim).repeated(RUNS // GROUPS)


def full(value: float) -> torch.Tensor:
    return torch.full((RUNS,), value, dtype=torch.float64)


def largest(first: Student, second: Student) -> float:
    return max((a - b).abs().max().item() for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
def test_a_student_is_the_sum_over_its_units_run_by_run(activation: ActivationName) -> None:
    student, data = start(), task()
    values = student.values(data.inputs, activation)
    for run in range(RUNS):
        x = data.inputs[run // (RUNS // GROUPS)]
        units = ACTIVATIONS[activation].value(x @ student.hidden[run].T)
        torch.testing.assert_close(values[run], units @ student.output[run])


@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
def test_gradients_by_hand_are_those_of_autograd(activation: ActivationName) -> None:
    student, data, scale = start(), task(), full(0.7)
    leaves = Student(*(weights.clone().requires_grad_() for weights in student))
    loss = half_mean_square(residuals(leaves, data, scale, activation)).sum()
    expected = torch.autograd.grad(loss, tuple(leaves))
    by_hand = gradients(student, data.inputs, residuals(student, data, scale, activation), activation)
    assert largest(by_hand.scaled(scale), Student(*expected)) < 1e-14


@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
def test_a_step_is_minus_lr_times_the_gradient_of_the_loss_over_the_scale_squared(activation: ActivationName) -> None:
    student, data = start(), task()
    scale, lr = torch.linspace(0.5, 3, RUNS, dtype=torch.float64), torch.linspace(0.1, 0.4, RUNS).double()
    leaves = Student(*(weights.clone().requires_grad_() for weights in student))
    losses = half_mean_square(residuals(leaves, data, scale, activation))
    slope = Student(*torch.autograd.grad((losses / scale**2).sum(), tuple(leaves))).scaled(lr)
    done = descend(student, [data], sizes(lr, scale), scale, activation)
    expected = Student(student.hidden - slope.hidden, student.output - slope.output)
    assert largest(done.student, expected) < 1e-14
    torch.testing.assert_close(done.losses[0], losses.detach())


@pytest.mark.parametrize("tau", [0.3, 30.0])
def test_the_scale_of_the_start_is_a_scale_of_the_output_at_every_step(tau: float) -> None:
    """Homogeneity: (tau w0, s = 1, lr / tau^2) is tau times (w0, s = tau^2, lr on loss / s^2)."""
    data = task()
    small, large = start(), start().scaled(tau)
    lr, squared, one = full(0.1), full(tau**2), full(1.0)
    for _ in range(60):
        small = descend(small, repeat(data, 5), sizes(lr, squared), squared).student
        large = descend(large, repeat(data, 5), sizes(lr / tau**2, one), one).student
        assert largest(small.scaled(tau), large) < 1e-10 * tau
    assert largest(small, start()) > 1e-3


def test_output_weights_and_norms_of_input_weights_differ_by_a_constant_square_along_the_flow() -> None:
    """a_j^2 - |b_j|^2 drifts by O(lr): a tenth of the step, over the same time, leaves a tenth of the drift."""

    def drift(lr: float) -> float:
        student, one = start().scaled(0.8), full(1.0)
        end = descend(student, repeat(task(), round(20 / lr)), sizes(full(lr), one), one).student
        before, after = (of.output.square() - of.hidden.square().sum(2) for of in (student, end))
        assert (end.output - student.output).abs().max() > 0.05
        return (after - before).abs().max().item()

    coarse, fine = drift(0.1), drift(0.01)
    assert fine < 3e-3
    assert coarse / fine == pytest.approx(10, rel=0.15)


@pytest.mark.parametrize("positive", [False, True])
def test_a_doubled_start_is_exactly_zero_everywhere(positive: bool) -> None:
    student = start().doubled(positive=positive)
    assert student.hidden.shape == (RUNS, 2 * WIDTH, DIM)
    assert student.values(task().inputs).abs().max() < 1e-15
    first = student.output[:, :WIDTH]
    torch.testing.assert_close(first, start().output.abs() if positive else start().output)
    torch.testing.assert_close(student.output[:, WIDTH:], -first)
    torch.testing.assert_close(student.hidden[:, WIDTH:], student.hidden[:, :WIDTH])


def test_centred_training_is_training_on_shifted_targets() -> None:
    student, data, scale = start(), task(), full(2.0)
    shifted = data.targets.repeat_interleave(RUNS // GROUPS, 0) + 2 * student.values(data.inputs)
    assert residuals(student, Samples(data.inputs, shifted), scale)[1].numpy() == pytest.approx(
        -data.targets[0].numpy()
    )


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_steps_in_one_call_are_those_in_several_and_the_start_is_left_alone(activation: ActivationName) -> None:
    student, data, scale = start(), task(), full(1.0)
    kept = Student(student.hidden.clone(), student.output.clone())
    by = Sizes(full(0.3), full(0.1))
    whole = descend(student, repeat(data, 7), by, scale, activation)
    part = descend(student, repeat(data, 3), by, scale, activation)
    rest = descend(part.student, repeat(data, 4), by, scale, activation)
    assert largest(whole.student, rest.student) == 0
    assert torch.equal(whole.losses, torch.cat([part.losses, rest.losses]))
    assert largest(student, kept) == 0


def test_the_step_of_relu_with_shared_memory_is_the_general_one() -> None:
    """Each layer has its step size, and each run its scale, and each batch its samples."""
    student, scale = start(), torch.linspace(0.5, 2, RUNS, dtype=torch.float64)
    by = Sizes(torch.linspace(0.1, 0.6, RUNS, dtype=torch.float64), full(0.2))
    batches = [task(), Samples(task().inputs.flip(1), task().targets)]
    done = descend(student, batches, by, scale).student
    for batch in batches:
        slope = gradients(student, batch.inputs, residuals(student, batch, scale))
        student = Student(
            student.hidden - by.hidden.view(-1, 1, 1) * slope.hidden,
            student.output - by.output.view(-1, 1) * slope.output,
        )
    assert largest(done, student) < 1e-14


def test_a_run_does_not_depend_on_the_others() -> None:
    student, data, scale = start(), task(), full(1.0)
    together = descend(
        student, repeat(data, 9), sizes(torch.linspace(0.1, 0.6, RUNS, dtype=torch.float64), scale), scale
    ).student
    last = Student(student.hidden[-1:], student.output[-1:])
    own = Samples(data.inputs[-1:], data.targets[-1:])
    alone = descend(last, repeat(own, 9), sizes(scale[:1] * 0.6, scale[:1]), scale[:1]).student
    assert largest(Student(together.hidden[-1:], together.output[-1:]), alone) < 1e-12


def test_inputs_and_teachers_are_on_the_unit_sphere_and_the_signs_alternate() -> None:
    points, shown = on_sphere(streams(5), 4000, 3), teacher(streams(6), 100)
    assert points.norm(dim=2).numpy() == pytest.approx(np.ones((GROUPS, 4000)))
    assert points.mean(1).abs().max() < 0.05
    assert shown.hidden.norm(dim=2).numpy() == pytest.approx(np.ones((GROUPS, 3)))
    assert shown.output.tolist() == [[1, -1, 1]] * GROUPS


def test_the_loss_of_the_zero_student_of_a_teacher_in_a_hundred_dimensions() -> None:
    """E y^2 / 2 is 5.5e-3 to 6.2e-3, since the teacher's rows are all but orthogonal."""
    inputs = on_sphere(streams(7, 8), 1000, 100)
    null = half_mean_square(teacher(streams(8, 8), 100).values(inputs))
    assert 5e-3 < null.mean() < 6.5e-3
