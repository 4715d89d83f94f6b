"""The gradient of the second moment: that of autograd through the path estimator, and of finite differences."""

import math

import pytest
import torch

from resodectl.numerics.sampling.flows import log_weights
from resodectl.numerics.sampling.gradients import second_moment
from resodectl.numerics.sampling.targets import Mixture, mixture
from resodectl.numerics.sampling.velocities import Gradient, Trainable
from tests.flows import fields, points


def target() -> Mixture:
    return mixture([0.3, 0.7], [[1.0, 0.0, 1.0], [0.0, -1.0, 0.0]], [[0.5] * 3, [0.4] * 3])


@pytest.mark.parametrize("start", [0.0, -0.5])
@pytest.mark.parametrize("field", fields(), ids=lambda field: type(field).__name__)
def test_the_gradient_is_that_of_autograd(field: Trainable, start: float) -> None:
    x = points(2, 20, 3)
    weights = [of.clone().requires_grad_() for of in field]
    logs = log_weights(type(field)(*weights), target().log_density, x, 10, start=start)
    relative = (logs - logs.detach().amax(-1, keepdim=True)).exp()
    exact = torch.autograd.grad(relative.square().mean(-1).sum(), weights)
    moment = second_moment(field, target(), x, 10, start)
    torch.testing.assert_close(moment.log_weights, logs.detach())
    for got, expected in zip(moment.gradients, exact, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)


def test_the_gradient_is_that_of_finite_differences() -> None:
    field, x, width = fields()[1], points(2, 20, 3), 1e-6
    assert isinstance(field, Gradient)
    moment = second_moment(field, target(), x, 10)
    largest = moment.log_weights.amax(-1)
    ends = []
    for sign in (1, -1):
        inner = field.inner.clone()
        inner[:, 2, 1] += sign * width
        logs = log_weights(field._replace(inner=inner), target().log_density, x, 10)
        ends.append((2 * (logs - largest.unsqueeze(-1))).exp().mean(-1))
    torch.testing.assert_close(moment.gradients[0][:, 2, 1], (ends[0] - ends[1]) / (2 * width), rtol=1e-6, atol=1e-9)


def test_a_lost_sample_has_no_part_in_the_gradient() -> None:
    field, x = fields()[1], points(2, 20, 3)
    kept = second_moment(field, target(), x[:, 1:], 10)
    x[:, 0] = math.nan
    with_lost = second_moment(field, target(), x, 10)
    assert with_lost.log_weights[:, 0].isnan().all()
    for got, expected in zip(with_lost.gradients, kept.gradients, strict=True):
        torch.testing.assert_close(got * 20, expected * 19)


def test_weights_too_small_for_numbers_have_a_finite_gradient() -> None:
    far = mixture([1.0], [[60.0, 0.0, 0.0]], [[1.0] * 3])
    moment = second_moment(fields()[1], far, points(2, 20, 3), 20)
    assert moment.log_weights.amax() < -745  # the exponential of less is 0
    assert all(of.isfinite().all() and of.abs().max() > 0 for of in moment.gradients)
