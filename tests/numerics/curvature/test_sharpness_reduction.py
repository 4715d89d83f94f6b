"""The sharpness-reduction flow against closed forms; what weight decay does to any scale-invariant loss, exactly."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from resodectl.numerics.curvature.sharpness_reduction import reduction_flow, reduction_velocity
from resodectl.numerics.descent.full_batch import decayed_step, effective_step

TIMES = torch.linspace(0, 4, 81, dtype=torch.float64)


def minimum_norm(points):
    """The gradient of log lambda, lambda = 1 / c^2 with c the first coordinate: that of regression with batch norm."""
    return torch.cat([-2 / points[:, :1], torch.zeros_like(points[:, 1:])], 1)


def tangent(points):
    """tan psi, `(times, runs)`: of the angle to the first axis."""
    return points[..., 1:].norm(dim=-1) / points[..., 0]


def starts():
    angles = torch.tensor([0.3, 1.0, math.atan(3)], dtype=torch.float64)
    return torch.stack([angles.cos(), angles.sin() * 0.6, angles.sin() * 0.8], 1)


def test_the_distance_to_the_minimum_norm_falls_like_exp_of_minus_tau():
    """G = 2 tan psi, so d psi / d tau = -sin psi cos psi: any other coefficient than 2 and 4 changes the rate."""
    found = tangent(reduction_flow(minimum_norm, starts(), TIMES))
    assert torch.allclose(found, tangent(starts()) * torch.exp(-TIMES)[:, None], rtol=1e-6)


@pytest.mark.parametrize("ablation", ["no-denominator", "no-projection", "double-time"])
def test_every_ablation_leaves_the_exponential(ablation):
    found = tangent(reduction_flow(minimum_norm, starts(), TIMES, ablation))[:, -1]
    assert ((found / found[0]).log() + TIMES).abs().max() > 0.5


def test_the_velocity_is_tangential_and_at_most_one_half():
    generator = torch.Generator().manual_seed(0)
    points = torch.nn.functional.normalize(torch.randn(50, 4, generator=generator, dtype=torch.float64), dim=1)
    gradients = 10 ** torch.linspace(-2, 2, 50, dtype=torch.float64)[:, None] * torch.randn(50, 4, generator=generator)
    velocity = reduction_velocity(points, gradients)
    assert (velocity * points).sum(1).abs().max() < 1e-14
    assert velocity.norm(dim=1).max() <= 0.5 + 1e-15
    steepest = torch.tensor([[0.0, 2.0]], dtype=torch.float64)
    assert reduction_velocity(torch.tensor([[1.0, 0.0]], dtype=torch.float64), steepest).norm() == 0.5


def test_on_a_circle_it_is_the_ordinary_differential_equation_of_its_angle():
    def right(_, p):
        g = -4 * np.sin(2 * p) / (1 + 4 * np.cos(p) ** 2)
        return -2 * g / (4 + g**2)

    def gradient(u):
        return torch.cat([8 * u[:, :1] / (1 + 4 * u[:, :1] ** 2), torch.zeros_like(u[:, :1])], 1)

    reference = solve_ivp(right, (0, 4), [0.5], t_eval=TIMES.numpy(), rtol=1e-11, atol=1e-12).y[0]
    start = torch.tensor([[math.cos(0.5), math.sin(0.5)]], dtype=torch.float64)
    found = reduction_flow(gradient, start, TIMES)[:, 0]
    assert torch.atan2(found[:, 1], found[:, 0]).numpy() == pytest.approx(reference, abs=1e-8)


def invariant(w):
    """An arbitrary loss of w / |w|, one a run."""
    u = w / w.norm(dim=1, keepdim=True)
    return (u[:, 0] * u[:, 1] - 0.3).square() + torch.cos(3 * u[:, 2]) * u[:, 3]


def slope(w):
    leaf = w.detach().requires_grad_()
    return torch.autograd.grad(invariant(leaf).sum(), leaf)[0]


def some(runs=6):
    return 2 * torch.randn(runs, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def test_a_decayed_step_is_a_projected_step_of_the_effective_size_and_the_norm_obeys_its_recursion():
    w, lr, decay = some(), 0.3, 0.05
    after = decayed_step(w, slope(w), lr, decay)
    norm = w.norm(dim=1, keepdim=True)
    u = w / norm
    expected = u - effective_step(w, lr, decay) * slope(u)
    assert torch.allclose(after / after.norm(dim=1, keepdim=True), expected / expected.norm(dim=1, keepdim=True),
                          rtol=1e-12, atol=1e-14)  # fmt: skip
    squared = (1 - lr * decay) ** 2 * norm**2 + lr**2 * slope(u).square().sum(1, keepdim=True) / norm**2
    assert torch.allclose(after.square().sum(1, keepdim=True), squared, rtol=1e-12)


def test_scaling_weights_step_and_decay_together_leaves_every_direction_as_it_is():
    """w -> c w, h -> c^2 h, l -> l / c^2 is an exact symmetry of descent with weight decay."""
    c, w, scaled = math.sqrt(2), some(), math.sqrt(2) * some()
    for _ in range(200):
        w = decayed_step(w, slope(w), 0.05, 0.1)
        scaled = decayed_step(scaled, slope(scaled), 0.05 * c**2, 0.1 / c**2)
    assert torch.allclose(scaled, c * w, rtol=1e-9)


def test_the_effective_step_is_that_of_rmsprop_up_to_the_squared_change_of_the_norm():
    """v = 2 h l / eta^2: v' - (b v + (1 - b) |g|^2) is of second order in h l."""
    gaps = []
    for decay in (1e-2, 1e-3):
        lr = 0.1
        slopes = slope(some() / some().norm(dim=1, keepdim=True)).square().sum(1, keepdim=True)
        w = some() / some().norm(dim=1, keepdim=True) * (lr * slopes / (2 * decay)) ** 0.25 * 1.1  # near stationarity
        after = decayed_step(w, slope(w), lr, decay)
        before, then = (2 * lr * decay / effective_step(x, lr, decay) ** 2 for x in (w, after))
        keep = (1 - lr * decay) ** 4
        gaps.append(((then - keep * before - (1 - keep) * slopes) / before).abs().max().item())
    assert gaps[0] < 20 * 1e-6
    assert gaps[0] / gaps[1] == pytest.approx(100, rel=0.1)
