"""margin/leaky_relu: the gradient by automatic differentiation, invariants, closed forms, values far past the fit."""

import math

import numpy as np
import pytest
import torch

from resodectl.experiment.context import stream
from resodectl.families.margin import leaky_relu, leaky_settings
from resodectl.families.margin.leaky_relu import Neurons
from resodectl.families.margin.leaky_settings import Hints
from resodectl.families.margin.planar import Floats, Labelled, labelled, neuron_scales, pull

SLOPE = 0.3
POINTS = labelled("hinted", Hints(far=3.0))


def drawn(runs: int = 3, width: int = 4, scale: float = 0.7) -> Neurons:
    return leaky_relu.draw([stream(seed, "test") for seed in range(runs)], width, scale)


def reference(w: torch.Tensor, a: torch.Tensor, points: Labelled) -> torch.Tensor:
    """The margins of one run, by torch."""
    outputs = torch.nn.functional.leaky_relu(torch.from_numpy(points.x) @ w.T, SLOPE) @ a
    return torch.from_numpy(points.y) * outputs


def test_the_gradient_is_that_of_automatic_differentiation_for_every_run() -> None:
    neurons = drawn()
    found, margins = leaky_relu.gradient(neurons, POINTS, SLOPE)
    for run in range(3):
        w, a = (torch.tensor(part[run], requires_grad=True) for part in neurons)
        wanted = reference(w, a, POINTS)
        torch.nn.functional.softplus(-wanted).mean().backward()
        np.testing.assert_allclose(found.w[run], w.grad, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(found.a[run], a.grad, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(margins[run], wanted.detach(), rtol=1e-12)
        np.testing.assert_allclose(
            leaky_relu.normalised_margin(neurons, POINTS, SLOPE)[run],
            wanted.min().item() / (w.square().sum() + a.square().sum()).item(),
        )


def test_the_scaled_gradient_is_parallel_to_the_gradient_and_exact_where_the_loss_underflows() -> None:
    neurons = drawn()
    plain, _ = leaky_relu.gradient(neurons, POINTS, SLOPE)
    scaled, _ = leaky_relu.gradient(neurons, POINTS, SLOPE, scaled=True)
    ratio = scaled.w / plain.w
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1, :1], ratio.shape), rtol=1e-12)
    np.testing.assert_allclose(scaled.a / plain.a, np.broadcast_to(ratio[:, :1, 0], plain.a.shape), rtol=1e-12)
    large = Neurons(1e3 * neurons.w, 1e3 * neurons.a)
    found, margins = leaky_relu.gradient(large, POINTS, SLOPE, scaled=True)
    worst = margins.argmin(1)  # margins differ by far more than 700: one point decides
    for run, place in enumerate(worst):
        x, y = POINTS.x[place], POINTS.y[place]
        z = large.w[run] @ x
        if margins[run, place] > 0:
            wanted = -large.a[run][:, None] * y * np.where(z > 0, 1, SLOPE)[:, None] * x / len(POINTS.y)
            np.testing.assert_allclose(found.w[run], wanted, rtol=1e-9)


def test_a_neuron_keeps_its_difference_of_squares_along_the_flow_and_not_without_the_derivative() -> None:
    start = drawn(scale=0.05)

    def drift(lr: float, ablation: leaky_settings.GradientAblation = "none") -> float:
        neurons = start
        for _ in range(round(4 / lr)):
            neurons = leaky_relu.descend(neurons, POINTS, SLOPE, lr, ablation)
        kept = [n.a**2 - (n.w**2).sum(2) for n in (start, neurons)]
        return float(np.abs(kept[1] - kept[0]).max())

    assert drift(0.005) == pytest.approx(drift(0.01) / 2, rel=0.1)
    assert drift(0.005) < 1e-3 < 1e-2 < drift(0.005, "no-derivative")


def test_small_weights_on_symmetric_points_follow_the_closed_form() -> None:
    points = labelled("symmetric", Hints())
    mean = (points.y[:, None] * points.x).mean(0)
    direction, rate = mean / np.linalg.norm(mean), (1 + SLOPE) / 4 * np.linalg.norm(mean)
    start = drawn(scale=1e-7)
    np.testing.assert_allclose(leaky_relu.alignment_phase(start, direction, rate, 0.0).w, start.w, atol=1e-20)

    def error(lr: float) -> float:
        neurons = start
        for _ in range(round(2 / lr)):
            neurons = leaky_relu.descend(neurons, points, SLOPE, lr)
        wanted = leaky_relu.alignment_phase(start, direction, rate, 2.0)
        off = Neurons(neurons.w - wanted.w, neurons.a - wanted.a)
        return float(np.sqrt(off.square_norm() / wanted.square_norm()).max())

    assert error(0.004) < 1.05 * 0.004 * rate**2
    assert error(0.004) == pytest.approx(error(0.008) / 2, rel=0.02)


def test_opposite_neurons_on_symmetric_points_are_linear_logistic_regression() -> None:
    points = labelled("symmetric", Hints())
    w, a = np.array([0.02, 0.01]), 0.03
    neurons = Neurons(np.array([[w, -w]]), np.array([[a, -a]]))
    for _ in range(300):
        neurons = leaky_relu.descend(neurons, points, SLOPE, 0.05)
        force = points.y / (1 + np.exp(points.y * (1 + SLOPE) * a * (points.x @ w))) @ points.x / len(points.y)
        force *= (1 + SLOPE) / 2
        w, a = w + 0.05 * a * force, a + 0.05 * w @ force
        np.testing.assert_allclose(neurons.w[0], [w, -w], rtol=1e-9)
    outputs = neurons.outputs(points.x, SLOPE)[0]
    np.testing.assert_allclose(outputs, (1 + SLOPE) * a * points.x @ w, rtol=1e-9)
    linear, bend = leaky_relu.linear_part(neurons, SLOPE)
    np.testing.assert_allclose(linear[0], (1 + SLOPE) * a * w, rtol=1e-9)
    assert bend[0] < 1e-9


def test_a_single_neuron_is_as_far_from_linear_as_its_slope_says() -> None:
    neurons = Neurons(np.array([[[1.0, 0.0]]]), np.array([[1.0]]))
    linear, bend = leaky_relu.linear_part(neurons, SLOPE)
    np.testing.assert_allclose(linear[0], [(1 + SLOPE) / 2, 0.0], atol=1e-3)
    assert bend[0] == pytest.approx((1 - SLOPE) / math.hypot(1 + SLOPE, 1 - SLOPE), rel=1e-3)


def test_small_neurons_of_general_points_grow_along_their_own_mean() -> None:
    points = labelled("positive", Hints())
    for sign in (1, -1):
        mean = pull(points, SLOPE, sign)
        unit = mean / np.linalg.norm(mean)
        assert (points.y * (points.x @ mean) > 0).all()
        start = Neurons(np.array([[1e-8 * sign * unit]]), np.array([[1e-8 * sign]]))
        after = leaky_relu.descend(start, points, SLOPE, 0.01)
        growth = 1 + 0.01 * np.linalg.norm(mean) / 2
        np.testing.assert_allclose(after.a, growth * start.a, rtol=1e-12)
        np.testing.assert_allclose(after.w, growth * start.w, rtol=1e-12)


@pytest.mark.parametrize("size", [0.1, 3.0, 30.0, 300.0])
def test_the_smoothed_margin_is_the_formula_where_that_does_not_underflow(size: float) -> None:
    margins = size * np.array([[1.0, 1.1, 1.0], [0.5, 2.0, 1.5]])
    square_norm = np.array([2.0, 3.0])
    found = leaky_relu.smoothed_margin(margins, square_norm)
    total = np.log1p(np.exp(-margins)).sum(1)
    np.testing.assert_allclose(found, -np.log(np.expm1(total)) / square_norm, rtol=1e-12)
    assert leaky_relu.smoothed_margin(np.array([[1e6, 1e6]]), np.array([1.0])) == pytest.approx(1e6 - math.log(2))


def test_a_normalised_step_has_its_relative_length_and_lowers_the_loss() -> None:
    start = drawn()
    after = leaky_relu.descend_normalised(start, POINTS, SLOPE, 1e-4)
    moved = Neurons(after.w - start.w, after.a - start.a)
    np.testing.assert_allclose(np.sqrt(moved.square_norm() / start.square_norm()), 1e-4, rtol=1e-9)

    def loss(neurons: Neurons) -> Floats:
        return np.logaddexp(0, -POINTS.y * neurons.outputs(POINTS.x, SLOPE)).mean(1)

    assert (loss(after) < loss(start)).all()


def test_a_wider_network_and_another_scale_begin_with_the_same_draws() -> None:
    narrow, wide = drawn(width=2, scale=1.0), drawn(width=5, scale=1e-3)
    np.testing.assert_allclose(wide.w[:, :2], 1e-3 * narrow.w)
    np.testing.assert_allclose(wide.a[:, :2], 1e-3 * narrow.a)


def test_scales_of_a_neuron_are_one_on_its_own_side() -> None:
    np.testing.assert_array_equal(neuron_scales(POINTS, SLOPE), np.where(POINTS.y > 0, 1, SLOPE))
    np.testing.assert_array_equal(neuron_scales(POINTS, SLOPE, -1), np.where(POINTS.y > 0, SLOPE, 1))
