"""Full-batch updates: torch.optim.SGD, exact identities of the sphere, RK4's order."""

import math

import pytest
import torch

from resodectl.numerics.descent.full_batch import (
    decayed_step,
    effective_step,
    flow_step,
    gradient_step,
    nesterov_step,
    normalised_step,
    polyak_step,
    square_root_step,
    stable_flow_step,
)

LR, BETA = 0.3, 0.8


def ones(*shape):
    return torch.ones(*shape, dtype=torch.float64)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_that_of_torch(nesterov):
    start = torch.tensor([[0.3, -1.2]], dtype=torch.float64)
    parameter = start.clone().requires_grad_()
    sgd = torch.optim.SGD([parameter], lr=LR, momentum=BETA, nesterov=nesterov)
    weights, momentum = start, 0 * start
    for _ in range(5):
        sgd.zero_grad()
        parameter.cos().sum().backward()
        sgd.step()
        slope = -weights.sin()
        weights, momentum = (nesterov_step if nesterov else polyak_step)(weights, slope, momentum, LR, BETA)
    torch.testing.assert_close(weights, parameter.detach())


def test_a_step_size_for_each_run():
    weights, rates = ones(2, 3), torch.tensor([[0.1], [0.2]], dtype=torch.float64)
    torch.testing.assert_close(gradient_step(weights, ones(2, 3), rates), ones(2, 3) - rates)


def test_a_normalised_step_is_as_long_as_its_rate():
    weights, slope = ones(2, 3), torch.tensor([[1.0, 2.0, 2.0], [0.0, -1e-9, 0.0]], dtype=torch.float64)
    step = weights - normalised_step(weights, slope, 0.25)
    torch.testing.assert_close(step.norm(dim=1), 0.25 * ones(2))
    torch.testing.assert_close(step[0], 0.25 * slope[0] / 3)


def test_a_step_on_the_square_root_is_gradient_descent_on_it():
    weights = torch.tensor([[0.5, 2.0]], dtype=torch.float64, requires_grad=True)
    loss = (weights**4).sum(1)
    (slope,) = torch.autograd.grad(loss.sum(), weights)
    (root,) = torch.autograd.grad((weights**4).sum(1).sqrt().sum(), weights)
    found = square_root_step(weights.detach(), loss.detach(), slope, 0.1)
    torch.testing.assert_close(found, weights.detach() - 0.1 * root)


def test_decay_moves_the_direction_by_exactly_the_effective_step():
    """For L(w) = l(w / |w|): w' / |w'| is that of u - effective step times grad L(u)."""
    target = torch.tensor([[0.2, -0.7, 0.4]], dtype=torch.float64)

    def slope(w):
        leaf = w.detach().requires_grad_()
        return torch.autograd.grad((leaf / leaf.norm(dim=1, keepdim=True) - target).square().sum(), leaf)[0]

    weights = 2.5 * torch.tensor([[1.0, 0.3, -0.5]], dtype=torch.float64)
    moved = decayed_step(weights, slope(weights), LR, 0.1)
    unit = weights / weights.norm()
    expected = unit - effective_step(weights, LR, 0.1) * slope(unit)
    torch.testing.assert_close(moved / moved.norm(), expected / expected.norm(), rtol=1e-14, atol=1e-14)
    wrong = unit - LR / weights.square().sum() * slope(unit)  # without 1 / (1 - lr decay)
    assert not torch.allclose(moved / moved.norm(), wrong / wrong.norm(), rtol=1e-6)


def test_the_flow_is_of_fourth_order():
    """dw/dt = -w^2 from 1 is 1 / (1 + t)."""
    errors = []
    for steps in (10, 20):
        weights = ones(1, 1)
        for _ in range(steps):
            weights = flow_step(lambda w: -w * w, weights, 1 / steps)
        errors.append(abs(weights.item() - 0.5))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(4, abs=0.3)


def test_the_flow_step_shrinks_with_sharpness_and_has_a_cap():
    steps = stable_flow_step(torch.tensor([100.0, 0.5, -3.0]), alpha=1.0, cap=0.1)
    torch.testing.assert_close(steps, torch.tensor([[0.01], [0.1], [0.1]]))
    decayed = {}
    for alpha in (2.7, 2.9):
        weights = ones(1, 1)
        for _ in range(200):
            weights = flow_step(lambda w: -100 * w, weights, stable_flow_step(100 * ones(1), alpha, 1.0))
        decayed[alpha] = abs(weights.item())
    assert decayed[2.7] < 1e-3 < 1e3 < decayed[2.9]
