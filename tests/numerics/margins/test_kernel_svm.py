"""The kernel SVM against closed forms, a general solver, and data that no function separates."""

import numpy as np
import pytest
from scipy.optimize import minimize

from resodectl.numerics.laws.arc_cosine import relu_gram
from resodectl.numerics.margins.kernel_svm import kernel_svm

SIGNS = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])


@pytest.mark.parametrize(("a", "b", "margin"), [(0.5, 0.5, 0.09869352), (0.3, 0.4, 0.05814394)])
def test_the_arc_cosine_margin_of_exclusive_or_is_the_root_of_its_quadratic_form_over_four(
    a: float, b: float, margin: float
) -> None:
    """By symmetry all four samples are support vectors of equal weight."""
    inputs, labels = np.column_stack([np.ones(4), SIGNS * [a, b]]), SIGNS.prod(1).astype(float)
    kernel = relu_gram(inputs, inputs)
    of = kernel_svm(kernel, labels)
    assert of.lower == pytest.approx(margin, abs=1e-8)
    assert of.upper == pytest.approx(np.sqrt(labels @ kernel @ labels) / 4, rel=1e-10)
    assert of.coefficients / labels == pytest.approx(of.coefficients[0])


def drawn(samples: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    """Features, and labels that a drawn direction gives them."""
    rng = np.random.default_rng(3)
    phi = rng.standard_normal((samples, features))
    return phi, np.sign(phi @ rng.standard_normal(features))


def test_it_is_the_hard_margin_of_the_features_that_make_up_the_kernel() -> None:
    phi, labels = drawn(12, 5)  # the kernel has rank 5
    of = kernel_svm(phi @ phi.T, labels)
    direction = phi.T @ of.coefficients
    assert np.linalg.norm(direction) == pytest.approx(1.0)
    assert (labels * (phi @ direction)).min() == pytest.approx(of.lower)
    primal = minimize(
        lambda w: w @ w / 2, direction, jac=lambda w: w, method="SLSQP",
        constraints={"type": "ineq", "fun": lambda w: labels * (phi @ w) - 1}, options={"ftol": 1e-14},
    )  # fmt: skip
    assert 1 / np.linalg.norm(primal.x) == pytest.approx(of.lower, rel=1e-6)


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_its_bounds_meet_whatever_the_scale_of_the_kernel_which_scales_the_margin_by_its_root(size: float) -> None:
    phi, labels = drawn(40, 60)
    of, scaled = kernel_svm(phi @ phi.T, labels), kernel_svm(size * phi @ phi.T, labels)
    assert of.lower == pytest.approx(of.upper, rel=1e-9)
    assert scaled.upper == pytest.approx(size**0.5 * of.upper, rel=1e-9)


def test_where_nothing_separates_the_data_the_margin_is_zero() -> None:
    line = np.array([1.0, 2.0, 3.0])
    of = kernel_svm(np.outer(line, line), np.array([1.0, -1.0, 1.0]))
    assert (of.lower, of.upper) == (0.0, pytest.approx(0.0, abs=1e-7))
    assert np.outer(line, line) @ of.coefficients == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize(("samples", "label"), [(3, 1.0), (2, 0.5)])
def test_what_does_not_fit_together_is_refused(samples: int, label: float) -> None:
    with pytest.raises(ValueError, match="kernel_svm"):
        kernel_svm(np.eye(2), np.full(samples, label))
