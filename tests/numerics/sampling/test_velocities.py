"""Fields of flows: their divergence is the trace of their Jacobian, and they are differentiated as autograd does it."""

import numpy as np
import pytest
import torch

from resodectl.numerics.sampling.velocities import Gradient, Trainable
from tests.flows import fields


def points() -> torch.Tensor:
    x = torch.from_numpy(np.random.default_rng(1).standard_normal((2, 4, 3)))
    x[0, 0, 0] = 30.0  # outside the ball of the funnel
    return x


BY_NAME = pytest.mark.parametrize("field", fields(), ids=lambda field: type(field).__name__)


@BY_NAME
def test_the_divergence_is_the_trace_of_the_jacobian(field: Trainable) -> None:
    x = points()
    jacobians = torch.autograd.functional.jacobian(lambda x: field(x), x)
    traces = torch.einsum("rsirsi->rs", jacobians)
    torch.testing.assert_close(field.divergence(x), traces)
    stacked = torch.stack([x, 2 * x])
    torch.testing.assert_close(field.divergence(stacked)[0], traces)


@BY_NAME
@pytest.mark.parametrize("with_scalars", [True, False])
def test_pulling_back_is_what_autograd_does(field: Trainable, with_scalars: bool) -> None:
    x = points().requires_grad_()
    rng = np.random.default_rng(2)
    vectors = torch.from_numpy(rng.standard_normal(x.shape))
    scalars = torch.from_numpy(rng.standard_normal(x.shape[:-1])) if with_scalars else None
    weights = [of.clone().requires_grad_() for of in field]
    copy = type(field)(*weights)
    total = (copy(x) * vectors).sum()
    if scalars is not None:
        total = total + (copy.divergence(x) * scalars).sum()
    exact = torch.autograd.grad(total, [x, *weights], allow_unused=True, materialize_grads=True)
    with torch.no_grad():
        of_points, of_weights = field.pull_back(x, field.inside(x), vectors, scalars)
    for got, expected in zip([of_points, *of_weights], exact, strict=True):
        torch.testing.assert_close(got, expected)


def test_the_gradient_field_is_the_gradient_of_its_potential() -> None:
    field = fields()[1]
    assert isinstance(field, Gradient)
    x = points().requires_grad_()
    before = x @ field.inner.mT + field.inner_bias.unsqueeze(-2)
    potential = (torch.nn.functional.softplus(before) @ field.outer.unsqueeze(-1)).sum()
    (slope,) = torch.autograd.grad(potential, x)
    torch.testing.assert_close(field(x), slope)
