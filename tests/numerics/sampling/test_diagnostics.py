"""Diagnostics of weights: closed forms, scipy's generalised Pareto law, coverage of intervals, samples that are NaN."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from resodectl.numerics.sampling.diagnostics import diagnose, relative, tail_index


def test_moments_are_those_of_numpy_row_by_row_also_where_weights_overflow() -> None:
    logs = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 400)))
    found, weights = diagnose(logs + 2000.0), logs.exp().numpy()
    mean = weights.mean(1)
    assert found.log_mean.numpy() == pytest.approx(np.log(mean) + 2000, rel=1e-14)
    assert found.variance.numpy() == pytest.approx(weights.var(1) / mean**2, rel=1e-11)
    assert found.mean_error.numpy() == pytest.approx(weights.std(1, ddof=1) / mean / math.sqrt(400))
    assert found.largest_share.numpy() == pytest.approx(weights.max(1) / weights.sum(1))
    assert found.ess.numpy() == pytest.approx(weights.sum(1) ** 2 / (weights**2).sum(1))
    squares = (weights / mean[:, None] - 1) ** 2
    expected = squares.std(1, ddof=1) / math.sqrt(400)
    known = ~found.variance_error.isnan().numpy()
    assert known.any()
    assert found.variance_error.numpy()[known] == pytest.approx(expected[known])


def test_in_units_of_the_exact_mean_a_collapsed_run_has_a_small_variance_and_a_small_mean() -> None:
    found = relative(diagnose(torch.tensor([1.0, 3.0]).log()), math.log(100.0))
    assert (found.mean.item(), found.variance.item()) == pytest.approx((0.02, 1e-4))


def test_samples_that_are_nan_are_left_out_and_counted_and_weights_of_zero_are_not() -> None:
    rows = torch.tensor([[0.0, math.nan, math.log(3.0), math.nan], [0.0, -math.inf, math.log(3.0), -math.inf]])
    found = diagnose(rows)
    assert found.nans.tolist() == [2, 0]
    assert found.log_mean.exp().tolist() == pytest.approx([2.0, 1.0])
    assert found.variance.tolist() == pytest.approx([0.25, 1.5])
    assert found.ess.tolist() == pytest.approx([1.6, 1.6])


@pytest.mark.parametrize("index", [-0.4, 0.3, 0.8])
def test_the_tail_index_of_pareto_weights_is_theirs_as_scipy_fits_it(index: float) -> None:
    weights = stats.genpareto.rvs(index, size=(8, 20000), random_state=1) + 0.5
    found = tail_index(torch.from_numpy(weights).log())
    fits = []
    for row in weights:
        top = np.sort(row)[-1 - math.ceil(3 * math.sqrt(20000)) :]
        fits.append(stats.genpareto.fit(top[1:] - top[0], floc=0)[0])
    assert found.numpy() == pytest.approx(np.array(fits), abs=0.06)
    assert found.mean().item() == pytest.approx(index, abs=0.08)


def test_the_tail_index_does_not_depend_on_the_scale_of_the_weights() -> None:
    logs = torch.from_numpy(np.random.default_rng(2).normal(size=1000))
    assert tail_index(logs - 5000.0).item() == pytest.approx(tail_index(logs).item())


def test_equal_weights_have_the_lightest_tail_and_few_or_vanishing_ones_an_unknown_one() -> None:
    assert tail_index(torch.zeros(100)).item() == -math.inf
    assert math.isnan(tail_index(torch.zeros(20)).item())
    assert math.isnan(tail_index(torch.full((100,), -math.inf)).item())
    alone = torch.full((1000,), -1e4, dtype=torch.float64)
    alone[0] = 0.0
    assert tail_index(alone).item() > 1.0


def test_intervals_cover_the_mean_of_light_tails_and_are_refused_for_heavy_ones() -> None:
    light = torch.from_numpy(np.random.default_rng(3).normal(0.0, 0.5, size=(400, 500)))
    found = diagnose(light)
    assert not found.mean_error.isnan().any()
    covered = ((found.log_mean - 0.125).exp() * (1 - 2 * found.mean_error) < 1) & (
        (found.log_mean - 0.125).exp() * (1 + 2 * found.mean_error) > 1
    )
    assert covered.double().mean().item() == pytest.approx(0.95, abs=0.03)
    heavy = torch.from_numpy(stats.genpareto.rvs(1.2, size=(20, 2000), random_state=4)).log()
    assert diagnose(heavy).mean_error.isnan().all()
    middling = torch.from_numpy(stats.genpareto.rvs(0.45, size=(20, 20000), random_state=4)).log()
    found = diagnose(middling)  # the variance is finite, its error is not
    assert not found.mean_error.isnan().any()
    assert found.variance_error.isnan().double().mean().item() > 0.8
