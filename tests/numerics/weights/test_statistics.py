"""The estimators of scaling exponents on weights whose exponents are known."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from resodectl.claims.estimate import loglog_slope
from resodectl.numerics.weights.statistics import bin_means, moving_mean, statistics

DEPTHS = (64, 128, 256, 512, 1024, 2048)


def smooth(depth: int, beta: float) -> torch.Tensor:
    """L^-beta sin(3 k / L) in every entry of 4x4 matrices, for one seed."""
    s = torch.arange(depth, dtype=torch.float64) / depth
    return (depth**-beta * torch.sin(3 * s))[:, None, None, None].expand(depth, 1, 4, 4)


def brownian(depth: int, seeds: int = 1, first: int = 0) -> torch.Tensor:
    """Increments over 1/L of Brownian paths in 4x4 matrices."""
    drawn = np.random.default_rng([first, depth]).standard_normal((depth, seeds, 4, 4))
    return torch.from_numpy(drawn) / math.sqrt(depth)


def slopes(paths: dict[int, torch.Tensor]) -> dict[str, float]:
    found = {depth: statistics(path) for depth, path in paths.items()}
    return {name: loglog_slope(found, [found[depth][name].item() for depth in found]) for name in found[DEPTHS[0]]}


def test_the_exponents_of_smooth_weights() -> None:
    found = slopes({depth: smooth(depth, 0.3) for depth in DEPTHS})
    assert found["largest"] == pytest.approx(-0.3, abs=1e-3)
    assert found["increment"] == pytest.approx(-1.3, abs=1e-3)
    assert found["root_sum_square"] == pytest.approx(0.2, abs=5e-3)
    assert found["total"] == pytest.approx(0.7, abs=5e-3)
    assert found["quadratic_variation"] == pytest.approx(-1.6, abs=0.02)
    assert found["h1_seminorm"] == pytest.approx(-0.3, abs=0.01)
    assert found["roughness"] == pytest.approx(-2.0, abs=0.03)


def test_the_exponents_of_brownian_increments_over_a_small_trend() -> None:
    found = slopes({depth: smooth(depth, 1.0) + brownian(depth) for depth in DEPTHS})
    assert found["largest"] == pytest.approx(-0.46, abs=0.06)  # -1/2, with a logarithm
    assert found["increment"] == pytest.approx(-0.45, abs=0.06)
    assert found["detrended"] == pytest.approx(-0.46, abs=0.06)
    assert found["root_sum_square"] == pytest.approx(0, abs=0.06)
    assert found["quadratic_variation"] == pytest.approx(0, abs=0.06)
    assert found["total"] == pytest.approx(0, abs=0.15)  # the norm of one Gaussian matrix a depth


@pytest.mark.parametrize("depth", [16, 64, 256, 2048])
def test_the_roughness_of_white_noise_is_one_and_that_of_alternating_weights_two(depth: int) -> None:
    found = statistics(brownian(depth, seeds=8))["roughness"]
    assert (found - 1).abs().max() < 2 / math.sqrt(depth)
    signs = (-1.0) ** torch.arange(depth, dtype=torch.float64)
    assert statistics(signs[:, None])["roughness"].item() == pytest.approx(2)
    assert statistics(torch.ones(depth, 1))["roughness"].item() == 0


def test_the_h1_seminorm_of_a_straight_line_is_its_slope() -> None:
    """(L sum (1/L)^2)^(1/2) over L - 1 increments of the path k/L: (1 - 1/L)^(1/2)."""
    for depth in (10, 1000):
        line = torch.arange(depth, dtype=torch.float64)[:, None] / depth
        found = statistics(line)
        assert found["h1_seminorm"].item() == pytest.approx(math.sqrt(1 - 1 / depth), rel=1e-12)
        assert found["increment"].item() == pytest.approx(1 / depth, rel=1e-12)
        assert found["detrended"].item() < 0.1  # at the ends alone the window is lopsided


def test_every_statistic_is_that_of_the_definition_in_a_plain_loop() -> None:
    path = torch.from_numpy(np.random.default_rng(0).standard_normal((9, 2, 3, 3)))
    found = statistics(path)
    for seed in range(2):
        own = [layer.numpy() for layer in path[:, seed]]
        norms = [np.linalg.norm(layer) for layer in own]
        steps = [np.linalg.norm(later - layer) for layer, later in pairwise(own)]
        left = [np.linalg.norm(own[k] - np.mean(own[max(0, k - 1) : k + 2], axis=0)) for k in range(9)]
        expected = {
            "largest": max(norms),
            "increment": max(steps),
            "detrended": max(left),  # a window of three layers
            "root_sum_square": math.sqrt(sum(n**2 for n in norms)),
            "total": np.linalg.norm(sum(own)),
            "quadratic_variation": sum(s**2 for s in steps),
            "h1_seminorm": math.sqrt(9 * sum(s**2 for s in steps)),
            "roughness": np.mean([s**2 for s in steps]) / (2 * np.mean([n**2 for n in norms])),
        }
        assert {name: value[seed].item() for name, value in found.items()} == pytest.approx(expected, rel=1e-12)


def test_bin_means_keep_what_is_constant_in_bins_and_project() -> None:
    path = torch.from_numpy(np.random.default_rng(0).standard_normal((100, 2, 3)))
    trend = bin_means(path, 16)
    assert len(torch.unique(trend[:, 0, 0])) == 16
    torch.testing.assert_close(bin_means(trend, 16), trend)
    torch.testing.assert_close(trend[:7], path[:7].mean(0).expand(7, -1, -1))  # ceil(100 / 16) layers
    torch.testing.assert_close(path.square().sum(), trend.square().sum() + (path - trend).square().sum())
    assert torch.equal(bin_means(path, 100), path)
    assert torch.equal(bin_means(path, 500), path)


def test_the_moving_mean_follows_a_line_away_from_the_ends() -> None:
    line = torch.arange(100, dtype=torch.float64)[:, None]
    mean = moving_mean(line)
    torch.testing.assert_close(mean[5:-5], line[5:-5])
    assert mean[0].item() == pytest.approx(2.5)
