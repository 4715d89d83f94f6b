"""The laws of the norms: known numbers, limits and simulation of what they average."""

import math

import numpy as np
import pytest
import torch

from resodectl.experiment.context import stream
from resodectl.numerics.laws import correlations
from resodectl.numerics.laws.residual_norms import (
    critical_exponent,
    first_order_change,
    gradient_covariance,
    log_normal_limit,
    mean_square_change,
    output_covariance,
)
from resodectl.numerics.propagation.residual_norms import backward, forward, random_layers, relative_change
from resodectl.numerics.weights.processes import fractional_noise

LAGS = np.arange(1000)


@pytest.mark.parametrize(("depth", "exponent", "rms"), [(1000, 0.5, 0.8053), (1000, 1.0, 0.02236), (120, 0.25, 14.52)])
def test_root_mean_squares_of_independent_layers(depth, exponent, rms):
    assert math.sqrt(mean_square_change(depth, exponent)) == pytest.approx(rms, rel=3e-4)


def test_only_one_exponent_has_a_limit_that_is_neither_zero_nor_infinite():
    deep = 10**8
    assert mean_square_change(deep, 0.5) == pytest.approx(math.exp(0.5) - 1, rel=1e-6)
    assert mean_square_change(deep, 0.6) < 0.02
    assert mean_square_change(10**6, 0.4) > 1e3


@pytest.mark.parametrize(("depth", "exponent"), [(100, 0.4642), (1000, 0.4763)])
def test_the_critical_exponent_is_where_the_mean_square_is_one(depth, exponent):
    assert critical_exponent(depth) == pytest.approx(exponent, abs=1e-4)
    assert mean_square_change(depth, float(critical_exponent(depth))) == pytest.approx(1, rel=1e-10)


def test_the_log_normal_limit_has_the_mean_square_of_the_exact_law():
    """E R^2 = exp(2 mean + 2 variance) = exp(1/2) at every width."""
    mean, deviation = log_normal_limit(np.array([3, 40, 100]))
    assert np.exp(2 * mean + 2 * deviation**2) == pytest.approx(np.full(3, math.exp(0.5)))
    assert (mean[-1], deviation[-1]) == (pytest.approx(0.245), pytest.approx(0.0707, abs=1e-4))


def test_without_correlation_the_first_order_law_is_that_of_the_exact_moments():
    for norm in ("output", "gradient"):
        first = first_order_change(correlations.independent(LAGS), 1.3, norm, 40)
        assert first == pytest.approx(math.sqrt(mean_square_change(1000, 1.3)), rel=1e-4)


@pytest.mark.parametrize(
    ("correlation", "norm", "change"),
    [
        (correlations.smooth(LAGS, 1000), "output", 0.301),
        (correlations.smooth(LAGS, 1000), "gradient", 0.266),
        (correlations.smooth_increments(LAGS, 1000), "output", 0.199),
    ],
)
def test_levels_of_smooth_networks_at_exponent_one(correlation, norm, change):
    assert first_order_change(correlation, 1.0, norm, 40) == pytest.approx(change, abs=5e-4)


@pytest.mark.parametrize(
    ("hurst", "norm", "log10"),
    [
        (0.2, "output", -2.601),
        (0.5, "output", -2.551),
        (0.8, "output", -1.863),
        (0.2, "gradient", -2.533),
        (0.8, "gradient", -2.217),
        (0.95, "gradient", -1.428),
    ],
)
def test_first_order_changes_of_fractional_weights(hurst, norm, log10):
    correlation = correlations.fractional_noise(LAGS, hurst)
    assert math.log10(first_order_change(correlation, 1.3, norm, 40)) == pytest.approx(log10, abs=6e-4)


def test_a_layer_is_fully_correlated_with_itself():
    assert output_covariance(1.0) == pytest.approx(0.5)
    assert gradient_covariance(1.0, 7) == pytest.approx(0.5)
    assert output_covariance(0.0) == gradient_covariance(0.0, 7) == 0


def test_the_law_of_gradients_asks_for_the_width():
    with pytest.raises(ValueError, match="give dim"):
        first_order_change(np.ones(3), 1.0, "gradient")


@pytest.mark.parametrize("hurst", [0.2, 0.8])
@pytest.mark.parametrize("dim", [2, 6])
def test_networks_with_small_residuals_follow_the_first_order_law(hurst, dim):
    """Both norms, at widths where the two laws of gradients (with and without 1/d) are far apart."""
    depth, draws, alpha = 10, 20_000, 1e-3
    streams = {name: [stream(0, name, dim)] for name in ("V", "Theta")}
    layers = random_layers("res-3", "fbm", streams, depth, dim, draws, hurst=hurst)
    rng = torch.Generator().manual_seed(0)
    h, p = (torch.randn(draws, dim, 1, generator=rng, dtype=torch.float64) for _ in range(2))
    end, slopes = forward(layers, h, alpha)
    first = backward(layers, p, alpha, slopes)
    correlation = correlations.fractional_noise(np.arange(depth), hurst)
    for norm, start, last in (("output", h, end), ("gradient", p, first)):
        rms = float(relative_change(start, last).square().mean().sqrt())
        assert rms / alpha == pytest.approx(first_order_change(correlation, 0.0, norm, dim), rel=0.03)


def test_the_kernel_is_the_mean_of_two_rectified_correlated_normals():
    xi = fractional_noise([stream(0)], 2, (400_000,), 0.8)[:, 0].numpy()
    rho = float(correlations.fractional_noise(1, 0.8))
    product = np.mean(np.maximum(xi[0], 0) * np.maximum(xi[1], 0))
    assert rho * product == pytest.approx(output_covariance(rho), rel=0.01)


@pytest.mark.parametrize(("exponent", "active"), [(0.0, 0.5), (0.3, 0.5), (0.3, 0.2)])
def test_the_mean_square_change_is_that_of_a_product_of_equal_factors(exponent, active):
    depths = np.array([1, 2, 3])
    expected = [math.prod([1 + active * n ** (-2 * exponent)] * n) - 1 for n in depths.tolist()]
    assert mean_square_change(depths, exponent, active) == pytest.approx(expected, rel=1e-14)


SEXTANT = math.sqrt(3) / (4 * math.pi)


@pytest.mark.parametrize(
    ("rho", "kernel", "both_positive"),
    [(0.5, SEXTANT + 1 / 6, 1 / 3), (-0.5, SEXTANT - 1 / 12, 1 / 6), (0.0, 1 / (2 * math.pi), 1 / 4), (-1.0, 0, 0)],
)
def test_covariances_have_their_values_at_the_angles_of_a_triangle(rho, kernel, both_positive):
    """kappa(cos a) = (sin a + (pi - a) cos a) / (2 pi), and two normals are both positive with (pi - a) / (2 pi)."""
    assert output_covariance(rho) == pytest.approx(rho * kernel, abs=1e-15)
    for dim in (1, 3):
        expected = rho * ((1 - 1 / dim) * rho * both_positive + kernel / dim)
        assert gradient_covariance(rho, dim) == pytest.approx(expected, abs=1e-15)


def test_a_correlation_that_rounding_put_above_one_counts_as_one():
    for beyond in (1 + 1e-12, -1 - 1e-12):
        assert output_covariance(beyond) == output_covariance(math.copysign(1, beyond))
        assert gradient_covariance(beyond, 3) == gradient_covariance(math.copysign(1, beyond), 3)


def test_the_first_order_law_sums_the_covariances_of_all_pairs_of_layers():
    """Of three layers: three pairs at lag 0, twice two at lag 1 and twice one at lag 2."""
    correlation, exponent = np.array([1.0, 0.4, -0.3]), 0.7
    for norm, covariance in (("output", output_covariance), ("gradient", lambda rho: gradient_covariance(rho, 5))):
        total = sum(covariance(correlation[abs(k - j)]) for k in range(3) for j in range(3))
        assert first_order_change(correlation, exponent, norm, 5) == pytest.approx(3**-exponent * math.sqrt(total))


def test_correlations_of_increments_are_second_differences_of_those_of_the_process():
    lags, depth, scale = np.arange(4), 10, 0.3
    kernel = np.exp(-((np.arange(-1, 5) / depth / scale) ** 2) / 2)
    differences = 2 * kernel[1:-1] - kernel[:-2] - kernel[2:]
    found = correlations.smooth_increments(lags, depth, scale)
    assert found == pytest.approx(differences / differences[0], rel=1e-12)
    assert correlations.smooth(lags, depth, scale) == pytest.approx(kernel[1:-1], rel=1e-14)
    assert correlations.independent(lags).tolist() == [1, 0, 0, 0]
