"""Poisson's equation: closed forms, the Laplacian of the solution, no flux through the walls."""

import math

import pytest
import torch

from resodectl.numerics.sampling.poisson import poisson_torus, poisson_walls

WAVE = 2 * math.pi


def grid(points: int, last: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    axis = torch.arange(points, dtype=torch.float64) / (points - 1 if last else 1)
    x, y = torch.meshgrid(axis, axis, indexing="ij")
    return x, y


def test_the_cosine_square_has_its_closed_form() -> None:
    x, y = grid(65)
    solved = poisson_walls(-0.9 * (WAVE * x).cos() * (WAVE * y).cos())
    scale = 0.9 / (8 * math.pi**2)
    torch.testing.assert_close(solved.potential, scale * (WAVE * x).cos() * (WAVE * y).cos(), rtol=0, atol=1e-14)
    along = -WAVE * scale * (WAVE * x).sin() * (WAVE * y).cos()
    torch.testing.assert_close(solved.gradient, torch.stack([along, along.T]), rtol=0, atol=1e-14)


def test_a_wave_along_one_axis_has_a_gradient_along_that_axis() -> None:
    x = torch.arange(16, dtype=torch.float64) / 16
    source = (WAVE * 3 * x).sin().unsqueeze(0).expand(16, 16)  # along the second coordinate
    found = poisson_torus(source).gradient
    expected = -(WAVE * 3 * x).cos() / (WAVE * 3)
    torch.testing.assert_close(found[1], expected.unsqueeze(0).expand(16, 16), rtol=0, atol=1e-14)
    assert found[0].abs().max() < 1e-14


@pytest.mark.parametrize("points", [32, 33])
def test_the_laplacian_of_the_solution_is_the_source_without_its_mean(points: int) -> None:
    axis = torch.arange(points, dtype=torch.float64) / points
    x, y = torch.meshgrid(axis, axis, indexing="ij")
    source = ((WAVE * x).cos() + 0.5 * (WAVE * (y - x)).sin()).exp()
    solved = poisson_torus(source)
    waves = torch.fft.fftfreq(points, 1 / (WAVE * points), dtype=torch.float64)
    parts = [torch.fft.fft2(part) for part in solved.gradient]
    divergence = torch.fft.ifft2(1j * waves[:, None] * parts[0] + 1j * waves * parts[1]).real
    torch.testing.assert_close(divergence, source - source.mean(), rtol=0, atol=1e-8)
    assert solved.potential.mean().abs() < 1e-15
    shifted = poisson_torus(source + 3.0)
    torch.testing.assert_close(shifted.gradient, solved.gradient)


def test_the_side_of_the_torus_scales_the_solution() -> None:
    source = torch.randn(8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    one, two = poisson_torus(source), poisson_torus(source, 2.0)
    torch.testing.assert_close(two.potential, 4 * one.potential)
    torch.testing.assert_close(two.gradient, 2 * one.gradient)


def test_no_flux_goes_through_the_walls_and_finite_differences_agree_inside() -> None:
    n = 256
    x, y = grid(n + 1)
    source = (x - 0.3).square() * (WAVE * y).sin() + (2 * x * y).exp()
    solved = poisson_walls(source)
    for side in (solved.gradient[0, [0, -1]], solved.gradient[1][:, [0, -1]]):
        assert side.abs().max() < 1e-14
    v = solved.potential
    laplacian = (v[2:, 1:-1] + v[:-2, 1:-1] + v[1:-1, 2:] + v[1:-1, :-2] - 4 * v[1:-1, 1:-1]) * n**2
    weights = torch.ones(n + 1, dtype=torch.float64)
    weights[0] = weights[-1] = 0.5
    mean = (weights[:, None] * weights * source).sum() / n**2
    error = (laplacian - (source[1:-1, 1:-1] - mean)).abs()
    assert error[8:-8, 8:-8].max() < 5e-3
