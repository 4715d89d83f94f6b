"""Stationary Gaussian sequences: their covariances against closed forms, and against samples of many paths."""

import numpy as np
import pytest
import torch
from scipy.linalg import toeplitz

from resodectl.experiment.context import stream
from resodectl.numerics.laws import correlations
from resodectl.numerics.weights.processes import (
    ENTRY_LAWS,
    PATHS_AT_ONCE,
    circulant_eigenvalues,
    entries,
    fractional_noise,
    smooth_increment_modes,
    smooth_modes,
    smooth_modes_at,
    smooth_process,
)

HURSTS = (0.05, 0.2, 0.5, 0.8, 0.95, 0.97)
PATHS, LENGTH = 2_000, 1_000


def streams(*seeds):
    return [stream(seed, "paths") for seed in seeds]


@pytest.mark.parametrize("hurst", HURSTS)
@pytest.mark.parametrize("length", [1, 2, 7, 1000])
def test_the_covariances_of_fractional_noise_sum_to_the_length_to_the_power_2h(hurst, length):
    gamma = toeplitz(correlations.fractional_noise(np.arange(length), hurst))
    assert gamma.sum() == pytest.approx(length ** (2 * hurst), rel=1e-10)
    assert gamma[0, 0] == 1


@pytest.mark.parametrize("hurst", HURSTS)
@pytest.mark.parametrize("length", [1, 2, 10, 100, 1000])
def test_no_eigenvalue_of_the_circulant_matrix_is_negative(hurst, length):
    half = correlations.fractional_noise(np.arange(length + 1), hurst)
    raw = np.fft.rfft(np.concatenate([half, half[-2:0:-1]])).real
    assert raw.min() > -1e-12
    assert circulant_eigenvalues(length, hurst) == pytest.approx(raw, abs=1e-12)


@pytest.mark.parametrize("hurst", HURSTS)
@pytest.mark.parametrize("length", [1, 2, 3, 8, 31])
def test_fractional_noise_is_linear_in_its_draws_with_exactly_the_right_covariance(hurst, length):
    """Fed with unit vectors, the generator gives the columns of a matrix A with A A^T = gamma."""
    size = 2 * length

    class Unit:
        rows = iter(np.eye(size))

        def standard_normal(self, shape):
            return np.stack([next(self.rows) for _ in range(shape[0])])

    (a,) = fractional_noise([Unit()], length, (size,), hurst).movedim(0, -1).numpy()
    assert a.T @ a == pytest.approx(toeplitz(correlations.fractional_noise(np.arange(length), hurst)), abs=1e-12)


@pytest.mark.parametrize("hurst", [0.2, 0.5, 0.8, 0.95])
def test_paths_of_fractional_noise_have_unit_variance_its_lag_and_its_sum(hurst):
    """The bands for 2,000 paths of 1,000 terms: the variance converges slowly where the memory is long."""
    xi = fractional_noise(streams(0), LENGTH, (PATHS,), hurst)[:, 0].numpy()
    variance = np.mean(xi**2)
    assert variance == pytest.approx(1, abs=0.06 if hurst > 0.8 else 0.02)
    lag = np.mean(xi[1:] * xi[:-1]) / variance
    assert lag == pytest.approx(correlations.fractional_noise(1, hurst), abs=0.01)
    assert np.mean(xi.sum(0) ** 2) / LENGTH ** (2 * hurst) == pytest.approx(1, abs=0.12)


def test_paths_do_not_depend_on_how_many_go_through_one_transform():
    """More paths than fit, in a shape of their own, are those of one stream drawn by fewer."""
    together = fractional_noise(streams(0), 20, (3, PATHS_AT_ONCE), 0.7)
    source = streams(0)
    parts = [fractional_noise(source, 20, (PATHS_AT_ONCE,), 0.7) for _ in range(3)]
    assert torch.equal(together, torch.stack(parts, 2))


def test_fractional_noise_of_hurst_one_half_is_independent():
    assert correlations.fractional_noise(np.arange(5), 0.5) == pytest.approx([1, 0, 0, 0, 0], abs=1e-15)
    assert circulant_eigenvalues(8, 0.5) == pytest.approx(np.ones(9))


@pytest.mark.parametrize("depth", [1, 2, 10, 100, 1000])
def test_the_modes_of_smooth_weights_factor_their_kernel(depth):
    modes = smooth_modes(depth)
    assert 20 <= modes.shape[1] <= 35
    wanted = toeplitz(correlations.smooth(np.arange(depth), depth))
    assert np.abs(modes @ modes.T - wanted).max() < 1e-9


@pytest.mark.parametrize("scale", [0.02, 0.1, 1.0])
def test_the_modes_factor_the_kernel_at_any_position_and_length_scale(scale):
    positions = np.random.default_rng(0).random(50)
    modes = smooth_modes_at(positions, scale)
    kernel = np.exp(-((positions[:, None] - positions) ** 2) / (2 * scale**2))
    assert modes @ modes.T == pytest.approx(kernel, abs=1e-9)


@pytest.mark.parametrize("depth", [2, 10, 100, 1000])
def test_the_modes_of_increments_factor_their_covariance(depth):
    modes = smooth_increment_modes(depth)
    wanted = toeplitz(correlations.smooth_increments(np.arange(depth), depth))
    assert np.abs(modes @ modes.T - wanted).max() < 1e-7
    assert wanted[0, 0] == 1


def test_increments_of_a_deep_network_have_the_correlation_of_the_derivative():
    """(1 - u^2/l^2) exp(-u^2 / (2 l^2)) at distance u in the limit of an infinite depth."""
    depth, lags = 10_000, np.array([100, 500, 1000, 3000])
    u = lags / depth / 0.1
    found = correlations.smooth_increments(lags, depth)
    assert found == pytest.approx((1 - u**2) * np.exp(-(u**2) / 2), abs=1e-5)


def test_smooth_weights_of_all_depths_are_one_function_of_the_position():
    shallow, deep = (entries("rbf", streams(0, 1), depth, (3, 2)) for depth in (10, 40))
    torch.testing.assert_close(shallow, deep[::4], rtol=1e-7, atol=1e-9)


def test_a_smooth_process_has_the_covariance_of_its_modes():
    modes = np.array([[1.0, 0.0], [0.6, 0.8]])
    drawn = smooth_process(streams(0), modes, (40_000,))[:, 0].numpy()
    assert drawn @ drawn.T / 40_000 == pytest.approx(np.array([[1, 0.6], [0.6, 1]]), abs=0.02)


@pytest.mark.parametrize("law", ENTRY_LAWS)
def test_entries_of_every_law_are_centred_and_of_unit_variance_in_every_layer(law):
    drawn = entries(law, streams(0, 1), 6, (200, 100), hurst=0.8)
    assert drawn.shape == (6, 2, 200, 100)
    assert drawn.is_contiguous()
    assert drawn.mean((2, 3)).numpy() == pytest.approx(np.zeros((6, 2)), abs=0.03)
    assert drawn.square().mean((2, 3)).numpy() == pytest.approx(np.ones((6, 2)), abs=0.05)


@pytest.mark.parametrize("law", ENTRY_LAWS)
def test_entries_of_a_seed_do_not_depend_on_the_other_seeds(law):
    alone, beside = entries(law, streams(7), 5, (3, 2), hurst=0.3), entries(law, streams(3, 7), 5, (3, 2), hurst=0.3)
    assert torch.equal(alone[:, 0], beside[:, 1])


def test_uniform_entries_fill_their_interval_and_no_more():
    drawn = entries("uniform", streams(0), 10, (100, 100))
    assert 0.999 * 3**0.5 < drawn.abs().max() <= 3**0.5
    kurtosis = (drawn**4).mean() / drawn.square().mean() ** 2
    assert float(kurtosis) == pytest.approx(9 / 5, abs=0.02)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_smooth_weights_with_independent_terms_have_the_covariance_of_their_mixture(share):
    drawn = entries("rbf_and_gaussian", streams(0), 20, (60_000,), length_scale=0.2, rough_share=share)[:, 0]
    found = (drawn @ drawn.T / drawn.shape[1]).numpy()
    expected = toeplitz(correlations.smooth_and_rough(np.arange(20), 20, 0.2, share))
    assert found == pytest.approx(expected, abs=0.025)
    if share == 0:
        assert torch.equal(drawn, entries("rbf", streams(0), 20, (60_000,), length_scale=0.2)[:, 0])


@pytest.mark.parametrize("law", ["rbf", "rbf_increments"])
def test_the_length_scale_is_that_of_the_kernel(law):
    drawn = entries(law, streams(0), 20, (60_000,), length_scale=0.3)[:, 0]
    kernel = correlations.smooth if law == "rbf" else correlations.smooth_increments
    found = (drawn @ drawn.T / drawn.shape[1]).numpy()
    assert found == pytest.approx(toeplitz(kernel(np.arange(20), 20, 0.3)), abs=0.025)
    assert torch.equal(entries(law, streams(0), 20, (2,)), entries(law, streams(0), 20, (2,), length_scale=0.1))
