"""Unseen shares: the biased law of starting points against closed forms, and a mode that a run has missed."""

import math

import pytest
import torch
from scipy import stats

from resodectl.numerics.sampling.coverage import backwards, unseen
from resodectl.numerics.sampling.flows import log_weights
from resodectl.numerics.sampling.velocities import Linear

GENERATOR = torch.Generator().manual_seed(0)


def normals(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


def log_target(x: torch.Tensor) -> torch.Tensor:
    """A normal density of mean 1 and variance 1/2 in each coordinate, without its constant."""
    return -(x - 1).square().sum(-1)


def targets(samples: int, dim: int = 2) -> torch.Tensor:
    return 1 + math.sqrt(0.5) * normals(1, samples, dim)


@pytest.mark.parametrize("start", [0.0, -0.5, -1.0])
def test_backwards_from_the_target_is_the_law_of_the_base_biased_by_the_weights(start: float) -> None:
    """The mean of phi(x) backwards is that of phi(x) A(x) / R forwards, for every phi; with phi = 1 / A it is 1 / R."""
    matrix = torch.tensor([[[-0.6, -1.0], [1.0, 0.2]]], dtype=torch.float64)
    velocity = Linear(matrix, torch.tensor([[0.4, -0.3]], dtype=torch.float64))
    samples, steps = 40000, 20
    drawn = torch.rand(1, samples, generator=GENERATOR, dtype=torch.float64)
    x = backwards(velocity, targets(samples), drawn, steps, start)
    forwards = normals(1, samples, 2)
    weights = log_weights(velocity, log_target, forwards, steps, start=start).exp() / 0.5
    inverse = (-log_weights(velocity, log_target, x, steps, start=start)).exp() * 0.5
    assert inverse.mean().item() == pytest.approx(1.0, abs=5 * inverse.std().item() / math.sqrt(samples))
    for phi in (lambda of: of[..., 0], lambda of: of[..., 1], lambda of: of.square().sum(-1)):
        there, here = phi(x), weights * phi(forwards)
        error = math.hypot(there.std().item(), here.std().item()) / math.sqrt(samples)
        assert there.mean().item() == pytest.approx(here.mean().item(), abs=5 * error)


def test_without_a_flow_the_points_are_those_of_the_target_and_the_share_is_that_of_its_tail() -> None:
    """In one dimension the weights e^{x^2 / 2 - (x - 1)^2} rise up to x = 2 and fall again beyond it."""
    still = Linear(torch.zeros(1, 1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64))
    y = targets(20000, 1)
    drawn = torch.rand(1, 20000, generator=GENERATOR, dtype=torch.float64)
    x = backwards(still, y, drawn, 4)
    torch.testing.assert_close(x, y)
    largest = torch.tensor([0.5 * 1.2**2 - 0.2**2], dtype=torch.float64)
    found = unseen(largest, 0.5 * x[..., 0].square() + log_target(x), torch.zeros(1, 20000, dtype=torch.float64))
    law = stats.norm(1, math.sqrt(0.5))
    assert found.value.item() == pytest.approx(law.cdf(2.8) - law.cdf(1.2), abs=4 * found.error.item())
    assert found.error.item() == pytest.approx(math.sqrt(0.25 / 20000), rel=0.1)


def test_the_share_is_weighted_and_what_is_no_number_is_not_seen() -> None:
    biased = torch.tensor([[0.0, 2.0, math.nan, 1.0]])
    annealed = torch.tensor([[1.0, 2.0, 3.0, 4.0]]).log()
    found = unseen(torch.tensor([1.0]), biased, annealed)
    assert found.value.item() == pytest.approx(0.5)
    assert found.error.item() == pytest.approx(0.5 * math.sqrt(30) / 10)
