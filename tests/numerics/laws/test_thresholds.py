"""Thresholds of full-batch descent: step rules on quadratics of curvatures just below and just above."""

import numpy as np
import pytest
import torch

from resodectl.numerics.descent.full_batch import gradient_step, nesterov_step, polyak_step
from resodectl.numerics.laws.thresholds import gradient_threshold, nesterov_threshold, polyak_threshold

LR, BETA, STEPS = 0.3, 0.8, 400


def ones(*shape):
    return torch.ones(*shape, dtype=torch.float64)


def after(curvature, method):
    """The distance from the minimum of curvature w^2 / 2 after many steps from 1."""
    weights, momentum = ones(1, 1), 0 * ones(1, 1)
    for _ in range(STEPS):
        slope = curvature * weights
        if method == "gradient":
            weights = gradient_step(weights, slope, LR)
        else:
            step = {"polyak": polyak_step, "nesterov": nesterov_step}[method]
            weights, momentum = step(weights, slope, momentum, LR, BETA)
    return abs(weights.item())


THRESHOLDS = {
    "gradient": gradient_threshold(LR),
    "polyak": polyak_threshold(LR, BETA),
    "nesterov": nesterov_threshold(LR, BETA),
}


@pytest.mark.parametrize("method", THRESHOLDS)
def test_a_quadratic_is_stable_just_below_the_threshold_and_unstable_just_above(method):
    assert after(0.97 * THRESHOLDS[method], method) < 0.1
    assert after(1.03 * THRESHOLDS[method], method) > 10


def test_thresholds_are_those_of_cohen_and_momentum_moves_them_apart():
    assert THRESHOLDS["gradient"] == pytest.approx(2 / LR)
    assert THRESHOLDS["polyak"] == pytest.approx(3.6 / LR)
    assert THRESHOLDS["nesterov"] == pytest.approx(3.6 / 2.6 / LR)


@pytest.mark.parametrize("kind", [np.array, torch.tensor])
def test_an_array_of_learning_rates_has_a_threshold_each(kind):
    lrs = kind([0.1, 0.4])
    for thresholds, expected in (
        (gradient_threshold(lrs), [20, 5]),
        (polyak_threshold(lrs, 0.5), [30, 7.5]),
        (nesterov_threshold(lrs, 0.5), [15, 3.75]),
    ):
        assert type(thresholds) is type(lrs)
        assert thresholds.tolist() == pytest.approx(expected)
