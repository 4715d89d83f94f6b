"""The measures of scaling/weight-scaling on logs with known answers."""

import math

import numpy as np
import pandas as pd
import pytest

from resodectl.claims.selecting import select
from resodectl.claims.verdict import judge
from resodectl.families.scaling.weight_scaling import analysis
from resodectl.recipe.schema import Band

DEPTHS = (4, 16, 64, 128, 256)
SEEDS = (0, 1, 2, 3)


def power_law(orders: dict[str, float], noise: float = 0.01, **columns) -> pd.DataFrame:
    """Statistics that are exact powers of the depth, up to a factor of each seed."""
    rng = np.random.default_rng(0)
    rows = []
    for seed in SEEDS:
        for depth in DEPTHS:
            values = {name: depth**order * math.exp(noise * rng.normal()) for name, order in orders.items()}
            rows.append({"seed": seed, "depth": depth, "task": "ode", "tensor": "A"} | columns | values)
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("order", "judgement"), [(-0.6, "holds"), (-1.0, "fails"), (-0.3, "fails")])
def test_the_slope_is_the_exponent_of_a_statistic(order: float, judgement: str) -> None:
    found = analysis.measure_slope(power_law({"largest_delta": order}), statistic="largest_delta")
    assert found.value == pytest.approx(order, abs=0.01)
    assert found.units == len(SEEDS)
    assert judge(found, Band.model_validate([-0.8, -0.5])) == judgement


@pytest.mark.parametrize(("order", "judgement"), [(-1.2, "holds"), (-0.2, "fails")])
def test_the_slope_difference_tells_smooth_from_rough_weights(order: float, judgement: str) -> None:
    rows = power_law({"increment": order, "largest": -0.2})
    found = analysis.measure_slope_difference(rows, statistic="increment", other="largest")
    assert found.value == pytest.approx(order + 0.2, abs=0.02)
    assert judge(found, Band.model_validate([None, -0.3])) == judgement


def test_extremes_are_taken_over_depths_and_averaged_over_seeds() -> None:
    rows = power_law({"roughness": -1.0}, noise=0.0)
    assert analysis.measure_smallest(rows, statistic="roughness").value == pytest.approx(1 / 256)
    assert analysis.measure_largest(rows, statistic="roughness").value == pytest.approx(1 / 4)
    assert judge(analysis.measure_largest(rows, statistic="roughness"), Band.model_validate([None, 2e-3])) == "fails"
    rows.loc[3, "roughness"] = math.nan
    for measure in (analysis.measure_smallest, analysis.measure_largest):
        assert judge(measure(rows, statistic="roughness"), Band.model_validate([None, 2e-3])) == "unclear"


@pytest.mark.parametrize(("tanh", "judgement"), [(1e-4, "holds"), (0.5, "fails")])
def test_the_roughness_ratio_compares_activations(tanh: float, judgement: str) -> None:
    rows = pd.concat(power_law({}, roughness=value, activation=name) for name, value in (("relu", 0.6), ("tanh", tanh)))
    found = analysis.measure_roughness_ratio(rows)
    assert found.value == pytest.approx(math.log10(0.6 / tanh))
    assert judge(found, Band.model_validate([1.7, None])) == judgement
    assert math.isnan(analysis.measure_roughness_ratio(rows[rows["activation"] == "relu"]).value)


def test_loss_ratios_are_those_of_the_trend_and_the_trained_weights() -> None:
    rows = power_law({"trend_loss": 0.5}, noise=0.0, train_loss=1.0)
    assert analysis.measure_smallest_loss_ratio(rows, without="trend_loss").value == pytest.approx(2)
    assert analysis.measure_largest_loss_ratio(rows, without="trend_loss").value == pytest.approx(16)
    assert (
        judge(analysis.measure_largest_loss_ratio(rows, without="trend_loss"), Band.model_validate([None, 1.1]))
        == "fails"
    )
    small = analysis.measure_largest_loss_ratio(rows.assign(pair_loss=1.01), without="pair_loss")
    assert judge(small, Band.model_validate([None, 1.1])) == "holds"


@pytest.mark.parametrize(("deep", "judgement"), [(-0.85, "holds"), (-0.6, "fails"), (-0.4, "fails")])
def test_the_bend_is_the_deep_exponent_minus_the_shallow_one(deep: float, judgement: str) -> None:
    rows = power_law({"largest_delta": -0.6}, noise=0.001)
    below, depth = rows["depth"] <= 64, rows["depth"].astype(float)
    rows["largest_delta"] *= np.where(below, 1.0, (depth / 64) ** (deep + 0.6))
    found = analysis.measure_bend(rows, statistic="largest_delta", below=64, above=128)
    assert found.value == pytest.approx(deep + 0.6, abs=0.01)
    assert judge(found, Band.model_validate([None, -0.1])) == judgement
    assert math.isnan(analysis.measure_bend(rows[below], statistic="largest_delta", below=64, above=128).value)


@pytest.mark.parametrize(("beta", "judgement"), [(0.2, "holds"), (0.0, "fails"), (0.5, "fails")])
def test_the_flow_has_a_limit_where_the_exponents_add_up_to_one(beta: float, judgement: str) -> None:
    """delta = L^-0.8 and smooth weights: the sum grows like L^(1 - beta)."""
    rows = power_law({"largest": -beta, "total": 1 - beta, "residual": -0.8 - beta})
    found = analysis.measure_flow_slope(rows)
    assert found.value == pytest.approx(0.2 - beta, abs=0.02)
    assert judge(found, Band.model_validate([-0.1, 0.1])) == judgement


@pytest.mark.parametrize(("share", "judgement"), [(0.25, "holds"), (0.03, "fails")])
def test_the_jump_is_the_largest_share_in_equal_shares(share: float, judgement: str) -> None:
    rows = power_law({}, largest_share=share)
    found = analysis.measure_jump(rows[rows["depth"] >= 128])
    assert found.value == pytest.approx(math.log10(share * math.sqrt(128 * 256)))
    assert judge(found, Band.model_validate([1.3, None])) == judgement
    equal = power_law({"largest_share": -1.0}, noise=0.0)
    assert analysis.measure_jump(equal).value == pytest.approx(0, abs=1e-12)


def test_means_are_taken_over_depths_and_of_ratios_depth_by_depth() -> None:
    rows = power_law({"increment": 1.0, "largest": 1.0}, noise=0.0, roughness=0.5)
    assert analysis.measure_mean(rows, statistic="roughness").value == pytest.approx(0.5)
    assert analysis.measure_mean(rows, statistic="largest").value == pytest.approx(np.mean(DEPTHS))
    ratio = analysis.measure_mean_ratio(
        rows.assign(increment=3 * rows["largest"]), statistic="increment", other="largest"
    )
    assert ratio.value == pytest.approx(3)
    rows.loc[3, "roughness"] = math.nan
    assert math.isnan(analysis.measure_mean(rows, statistic="roughness").value)


def entries(exponent: float, noise: float, **columns) -> pd.DataFrame:
    """An entry L^-exponent sin(3 k / L) plus noise of relative size `noise`, independent from layer to layer."""
    rows = []
    for seed in SEEDS:
        for depth in (128, 256, 512, 1024):
            draws = np.random.default_rng([seed, depth]).standard_normal(depth)
            s = (np.arange(depth) + 0.5) / depth
            values = depth**-exponent * (np.sin(3 * s) + noise * draws)
            same = dict.fromkeys(("matrix_entry", "bias_entry", "trace", "step"), values)
            rows.append(
                pd.DataFrame({"seed": seed, "depth": depth, "task": "ode", "layer": np.arange(depth)} | columns | same)
            )
    return pd.concat(rows, ignore_index=True)


def test_the_common_share_is_one_for_one_function_and_a_quarter_for_four_independent_ones() -> None:
    band = Band.model_validate([0.8, 1.0])
    found = analysis.measure_common_share(entries(0.2, 0.0), entry="trace")
    assert found.value == pytest.approx(1, abs=1e-5)
    assert judge(found, Band.model_validate([0.8, 1.001])) == "holds"
    noisy = analysis.measure_common_share(entries(0.2, 100.0), entry="trace")
    assert noisy.value == pytest.approx(0.25, abs=0.05)
    assert judge(noisy, band) == "fails"
    other_size = analysis.measure_common_share(entries(2.0, 0.0), entry="trace")
    assert other_size.value == pytest.approx(1, abs=1e-5)  # the size is another claim's
    one_depth = select(entries(0.2, 0.0), {"depth": 128})
    assert math.isnan(analysis.measure_common_share(one_depth, entry="trace").value)
