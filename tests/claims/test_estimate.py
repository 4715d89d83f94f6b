"""Intervals over independent units cover what they should, and say when nothing is known."""

import math

import numpy as np
import pandas as pd
import pytest

from resodectl.claims.estimate import Estimate, exact, loglog_slope, over_units, per_seed


@pytest.mark.parametrize("units", [3, 8, 30])
def test_intervals_cover_the_mean_of_normal_units_95_times_in_100(units: int) -> None:
    stream = np.random.default_rng(1)
    repetitions = 400 if units < 20 else 200
    found = [over_units(stream.normal(2.0, 1.0, units)) for _ in range(repetitions)]
    covered = np.mean([estimate.low <= 2.0 <= estimate.high for estimate in found])
    assert 0.88 <= covered <= 1.0
    assert {estimate.method for estimate in found} == {"student" if units < 20 else "bootstrap"}


def test_student_interval_of_three_units_is_the_textbook_one() -> None:
    estimate = over_units([1.0, 2.0, 3.0])
    half = 4.302652729749464 / math.sqrt(3)
    assert (estimate.value, estimate.units) == (2.0, 3)
    assert estimate.high - 2.0 == pytest.approx(half, rel=1e-12)
    assert 2.0 - estimate.low == pytest.approx(half, rel=1e-12)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, math.nan], [1.0, math.inf, 2.0]])
def test_too_few_or_non_finite_units_have_no_interval(values: list[float]) -> None:
    estimate = over_units(values)
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.high)


def test_units_without_spread_have_an_interval_of_no_width() -> None:
    for units in (5, 25):
        estimate = over_units([0.3] * units)
        assert estimate.high - estimate.low == pytest.approx(0.0, abs=1e-15)


def test_the_bootstrap_is_reproducible() -> None:
    values = np.random.default_rng(0).exponential(size=40)
    assert over_units(values) == over_units(values)


def test_exact_quantities_carry_their_error_bound() -> None:
    estimate = exact(2.0, 0.5)
    assert (estimate.low, estimate.high, estimate.units, estimate.method) == (1.5, 2.5, 0, "exact")


def test_slope_of_a_power_law_is_its_exponent() -> None:
    x = np.array([8, 16, 32, 64])
    assert loglog_slope(x, 3.0 * x**-2.5) == pytest.approx(-2.5, abs=1e-12)
    assert math.isnan(loglog_slope(x, [1, 2, 0, 3]))
    assert math.isnan(loglog_slope([8, 8], [1, 2]))
    assert math.isnan(loglog_slope(x, [1, 2, math.nan, 3]))


def test_per_seed_takes_the_statistic_of_each_seed() -> None:
    rows = pd.DataFrame({"seed": [0, 0, 1, 1], "y": [1.0, 3.0, 5.0, 7.0]})
    estimate = per_seed(rows, lambda of_seed: of_seed["y"].mean())
    assert (estimate.value, estimate.units) == (4.0, 2)


def test_an_estimate_is_of_plain_numbers_in_their_order() -> None:
    estimate = Estimate(np.float32(1), np.float64(0), np.int64(2), np.int64(3), "student")
    assert [type(part) for part in (estimate.value, estimate.low, estimate.units)] == [float, float, int]
    for value, low, high in ((1.0, 2.0, 0.0), (3.0, 0.0, 2.0), (-1.0, 0.0, 2.0)):
        with pytest.raises(ValueError, match="interval"):
            Estimate(value, low, high, 3, "student")
    assert not Estimate(math.inf, math.nan, math.nan, 3, "student").finite
