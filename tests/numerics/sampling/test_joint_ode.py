"""Weights by the joint ODE: exact for a rotation with an error of order 4, and those of the path estimator."""

import numpy as np
import pytest
import torch

from resodectl.numerics.sampling.flows import log_weights
from resodectl.numerics.sampling.joint_ode import joint_log_weights
from resodectl.numerics.sampling.targets import log_base
from resodectl.numerics.sampling.velocities import Linear, Trainable
from tests.flows import fields, points, rotated, rotation, shifted


@pytest.mark.parametrize("start", [0.0, -0.25, -1.0])
def test_the_error_of_the_joint_ode_falls_with_the_fourth_power(start: float) -> None:
    x = points(1, 50, 2)
    errors = []
    for steps in (100, 200):
        got = joint_log_weights(rotation(), shifted, x, steps, start=start).numpy()
        errors.append(np.abs(got - rotated(x)).max())
    assert errors[0] < 2e-4
    assert errors[0] > 10 * errors[1]


@pytest.mark.parametrize("start", [0.0, -0.5])
@pytest.mark.parametrize("field", fields(), ids=lambda field: type(field).__name__)
def test_both_estimators_tend_to_the_same(field: Trainable, start: float) -> None:
    x = points(2, 30, 3)
    apart = []
    for steps in (100, 200):
        joint = joint_log_weights(field, shifted, x, steps, start=start)
        apart.append((joint - log_weights(field, shifted, x, steps, start=start)).abs().max().item())
    assert apart[1] < 0.03
    assert apart[1] < 0.3 * apart[0]  # the trapezoidal rule is of order 2


def test_no_field_gives_plain_importance_weights() -> None:
    x = points(2, 50, 3)
    still = Linear(torch.zeros(2, 3, 3, dtype=torch.float64), torch.zeros(2, 3, dtype=torch.float64))
    plain = shifted(x) - log_base(x)
    torch.testing.assert_close(joint_log_weights(still, shifted, x, 10, start=-0.5), plain, rtol=1e-12, atol=1e-12)
