"""The largest margin in the plane against scipy, a fine circle, and sets that no line separates."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from resodectl.numerics.margins.plane import hard_margin


def drawn(sets: int, points: int, seed: int = 0, angle: float = 2.8) -> torch.Tensor:
    """Sets of points within half an angle of a random direction, so that a line separates them."""
    generator = np.random.default_rng(seed)
    middle = generator.uniform(0, 2 * math.pi, (sets, 1))
    angles = middle + generator.uniform(-angle / 2, angle / 2, (sets, points))
    radii = generator.uniform(0.2, 3.0, (sets, points))
    return torch.from_numpy(np.stack([radii * np.cos(angles), radii * np.sin(angles)], -1))


def test_the_margin_is_that_of_the_quadratic_programme() -> None:
    points = drawn(8, 12)
    directions, margins = hard_margin(points)
    for own, direction, margin in zip(points.numpy(), directions.numpy(), margins.numpy(), strict=True):
        constraints = {"type": "ineq", "fun": lambda w, own=own: own @ w - 1, "jac": lambda _, own=own: own}
        solved = minimize(lambda w: w @ w / 2, direction * 3 / margin, jac=lambda w: w, constraints=constraints)
        assert 1 / np.linalg.norm(solved.x) == pytest.approx(margin, rel=1e-6)
        assert solved.x / np.linalg.norm(solved.x) == pytest.approx(direction, abs=1e-5)


@pytest.mark.parametrize("shape", [(), (5,), (2, 3)])
def test_no_direction_of_a_fine_circle_has_a_larger_margin(shape: tuple[int, ...]) -> None:
    points = drawn(math.prod(shape), 9, seed=1).view(*shape, 9, 2)
    direction, margin = hard_margin(points)
    assert direction.shape == (*shape, 2)
    assert margin.shape == shape
    torch.testing.assert_close((points @ direction.unsqueeze(-1)).squeeze(-1).amin(-1), margin)
    torch.testing.assert_close(direction.norm(dim=-1), torch.ones_like(margin))
    angles = torch.linspace(0, 2 * math.pi, 20_001, dtype=torch.float64)
    circle = (points @ torch.stack([angles.cos(), angles.sin()])).amin(-2).amax(-1)
    assert (circle <= margin + 1e-12).all()
    assert (circle >= margin - 1e-3).all()


def test_the_nearest_point_may_be_a_vertex_or_a_point_that_stands_twice() -> None:
    direction, margin = hard_margin(torch.tensor([[3.0, 4.0], [3.0, 4.0], [9.0, 12.5]]))
    torch.testing.assert_close(direction, torch.tensor([0.6, 0.8]))
    assert margin.item() == pytest.approx(5.0)
    direction, margin = hard_margin(torch.tensor([[3.0, 4.0]]))
    assert margin.item() == pytest.approx(5.0)


def test_sets_that_no_line_separates_have_no_margin_and_no_direction() -> None:
    around = torch.tensor([[1.0, 0.0], [-0.5, 0.9], [-0.5, -0.9]])
    through = torch.tensor([[2.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    at = torch.tensor([[1.0, 1.0], [0.0, 0.0], [2.0, 1.0]])
    separable = torch.tensor([[1.0, 1.0], [1.0, -1.0], [2.0, 0.0]])
    direction, margin = hard_margin(torch.stack([around, through, at, separable]))
    torch.testing.assert_close(margin, torch.tensor([0.0, 0.0, 0.0, 1.0]))
    assert direction.isnan().all(1).tolist() == [True, True, True, False]
