"""Arc-cosine kernels against quadrature of their definition."""

import numpy as np
import pytest

from resodectl.numerics.laws.arc_cosine import relu_gram, relu_kernel, step_kernel

RHO = np.array([-0.9, -0.3, 0.0, 0.5, 0.99])


def mean_over_directions(function, rho):
    """E f(z, z') of a function that is homogeneous in (z, z') = r (cos t, cos(t - arccos rho)), over the angle t."""
    angle = (np.arange(100_000) + 0.5) * 2 * np.pi / 100_000
    return np.mean(function(np.cos(angle), np.cos(angle - np.arccos(rho))))


@pytest.mark.parametrize("rho", RHO)
def test_the_kernels_are_their_means(rho):
    both = mean_over_directions(lambda z, other: (z > 0) & (other > 0), rho)
    assert step_kernel(rho) == pytest.approx(both, abs=2e-5)
    product = 2 * mean_over_directions(lambda z, other: np.maximum(z, 0) * np.maximum(other, 0), rho)  # E r^2 = 2
    assert relu_kernel(rho) == pytest.approx(product, abs=1e-8)


def test_the_slope_of_the_relu_kernel_is_the_step_kernel():
    step = 1e-5
    slope = (relu_kernel(RHO + step) - relu_kernel(RHO - step)) / (2 * step)
    np.testing.assert_allclose(slope, step_kernel(RHO), rtol=1e-6)


def test_equal_opposite_and_independent_variables_have_known_means():
    np.testing.assert_allclose(relu_kernel([1, 0, -1]), [1 / 2, 1 / (2 * np.pi), 0], atol=1e-16)
    np.testing.assert_allclose(step_kernel([1, 0, -1]), [1 / 2, 1 / 4, 0], atol=1e-16)


def test_a_correlation_that_rounding_took_above_one_counts_as_one():
    assert relu_kernel(1 + 1e-15) == step_kernel(1 + 1e-15) == 0.5


def test_the_gram_matrix_is_the_mean_of_products_of_units_with_normal_weights():
    rng = np.random.default_rng(0)
    inputs, others = rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 5, 4))
    weights = rng.standard_normal((400_000, 4))
    for of, (x, z) in zip(relu_gram(inputs, others), zip(inputs, others, strict=True), strict=True):
        units, other_units = np.maximum(weights @ x.T, 0), np.maximum(weights @ z.T, 0)
        products = units[:, :, None] * other_units[:, None, :]
        error = products.std(0) / len(weights) ** 0.5
        assert (np.abs(of - products.mean(0)) < 4.5 * error).all()
    assert (relu_gram(np.zeros((1, 4)), others[0]) == 0).all()
