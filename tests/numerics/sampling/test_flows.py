"""Weights along a flow: exact for a rotation, a linear field and no field at all."""

import math

import numpy as np
import pytest
import torch
from scipy import linalg

from resodectl.numerics.sampling.flows import (
    infinite_log_weights,
    log_weights,
    log_windows,
    path,
)
from resodectl.numerics.sampling.targets import log_base
from resodectl.numerics.sampling.velocities import Linear
from tests.flows import points, rotated, rotation, shifted


@pytest.mark.parametrize("start", [0.0, -0.25, -0.5, -1.0])
def test_the_path_estimator_averages_over_the_circles_of_a_rotation(start: float) -> None:
    x = points(1, 50, 2)
    got = log_weights(rotation(), shifted, x, 100, start=start).numpy()
    np.testing.assert_allclose(got, rotated(x), atol=1e-5)


def test_no_field_gives_plain_importance_weights() -> None:
    x = points(2, 50, 3)
    still = Linear(torch.zeros(2, 3, 3, dtype=torch.float64), torch.zeros(2, 3, dtype=torch.float64))
    plain = shifted(x) - log_base(x)
    torch.testing.assert_close(log_weights(still, shifted, x, 10, start=-0.5), plain, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(infinite_log_weights(still, shifted, x, 10, 3.0), plain, rtol=1e-12, atol=1e-12)


def test_the_path_of_a_linear_field_is_a_matrix_exponential() -> None:
    x = points(1, 20, 3)
    matrix = np.random.default_rng(1).standard_normal((3, 3))
    shift = np.array([1.0, -2.0, 0.5])
    field = Linear(torch.from_numpy(matrix).unsqueeze(0), torch.from_numpy(shift).unsqueeze(0))
    nodes = path(field, x, 200)
    rest = -np.linalg.solve(matrix, shift)
    for node, time in ((0, -1.0), (100, -0.5), (200, 0.0), (300, 0.5), (400, 1.0)):
        exact = (x.numpy() - rest) @ linalg.expm(time * matrix).T + rest
        np.testing.assert_allclose(nodes[node].numpy(), exact, rtol=1e-7, atol=1e-7)


def test_infinite_time_has_no_variance_for_the_flow_between_two_gaussians() -> None:
    """b = x - w / (1 - s) carries N(0, I) to N(w, s^2 I), and every weight is s^d (paper, zero-variance flows)."""
    x, s = points(1, 100, 3), 0.5
    eye = torch.eye(3, dtype=torch.float64).unsqueeze(0)
    field = Linear(eye, torch.full((1, 3), -1 / (1 - s), dtype=torch.float64))
    got = infinite_log_weights(field, lambda x: -(x - 1).square().sum(-1) / (2 * s**2), x, 3000, 20.0)
    np.testing.assert_allclose(got.exp().numpy(), s**3, rtol=1e-3)


def test_windows_hold_where_the_integrand_is_largest_outside_them() -> None:
    times = torch.linspace(-1, 1, 2001, dtype=torch.float64)
    windows = log_windows(-800 * times)  # e^800 at -1 and e^-800 at 1
    starts = times[:1001]
    exact = -800 * starts + math.log(math.tanh(0.4) ** -1 * 0.0005) + math.log1p(-math.exp(-800))
    torch.testing.assert_close(windows, exact, rtol=0, atol=1e-10)


@pytest.mark.parametrize("start", [0.1, -1.1, -0.33])
def test_a_window_off_the_grid_is_refused(start: float) -> None:
    with pytest.raises(ValueError, match="multiple of 1/10"):
        log_weights(rotation(), shifted, points(1, 3, 2), 10, start=start)
