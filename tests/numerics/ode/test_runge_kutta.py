"""The Runge-Kutta scheme: its order, matrix exponentials, and time running backward."""

import math

import pytest
import torch

from resodectl.numerics.ode.runge_kutta import runge_kutta


def test_a_linear_equation_gives_the_matrix_exponential_for_every_state_of_a_batch():
    torch.manual_seed(0)
    matrix = torch.randn(3, 4, 4, dtype=torch.float64)
    x = torch.randn(3, 5, 4, dtype=torch.float64)
    found = runge_kutta(lambda x, s: torch.bmm(x, matrix), x, 0.0, 1.0, 400)
    torch.testing.assert_close(found, torch.bmm(x, torch.linalg.matrix_exp(matrix)), rtol=1e-8, atol=1e-9)


def test_its_order_is_four():
    """x' = x cos s has the solution exp(sin s)."""
    x = torch.ones(1, dtype=torch.float64)
    errors = [
        abs(float(runge_kutta(lambda x, s: x * math.cos(s), x, 0.0, 2.0, n)) - math.exp(math.sin(2))) for n in (20, 40)
    ]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(4, abs=0.1)


def test_cubics_in_time_are_integrated_exactly():
    x = torch.zeros(2, dtype=torch.float64)
    found = runge_kutta(lambda x, s: torch.full_like(x, 4 * s**3 - 2 * s), x, 0.5, 1.5, 3)
    torch.testing.assert_close(found, torch.full_like(x, 1.5**4 - 0.5**4 - 1.5**2 + 0.5**2))


def test_it_runs_backward_in_time():
    start = torch.tensor([0.3, -1.2], dtype=torch.float64)
    there = runge_kutta(lambda x, s: torch.tanh(x) + s, start, 0.0, 1.0, 200)
    torch.testing.assert_close(
        runge_kutta(lambda x, s: torch.tanh(x) + s, there, 1.0, 0.0, 200), start, rtol=1e-9, atol=0
    )
