"""eos/network-flow: the measures on logs with known answers, and the figure."""

import math

import numpy as np
import pandas as pd
import pytest

from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.families.eos.network_flow import analysis
from resodectl.recipe import load
from resodectl.recipe.schema import Band


def curves(descent: float, flow: float, seeds: int = 4) -> pd.DataFrame:
    """Sharpness that ends at these parts of what it was, on straight lines."""
    rows = []
    for seed in range(seeds):
        for s in np.linspace(0, 1, 5):
            jitter = 1 + 1e-3 * seed * s
            rows.append(("flow", 0.0, seed, s, 9 * (1 + (flow - 1) * s), 1e-22))
            rows.append(("normalised", 0.1, seed, s, 9 * (1 + (descent - 1) * s) * jitter, 1e-3))
    return pd.DataFrame(rows, columns=["path", "lr", "seed", "s", "sharpness", "loss"])


@pytest.mark.parametrize(("descent", "largest", "judgement"), [(0.52, 0.04, "holds"), (0.6, 0.2, "fails")])
def test_the_deviation_is_taken_at_equal_times(descent: float, largest: float, judgement: str) -> None:
    found = analysis.measure_deviation(curves(descent, 0.5), statistic="max")
    assert found.value == pytest.approx(largest, abs=3e-3)
    assert judge(found, Band(low=None, high=0.15)) == judgement
    half = analysis.measure_deviation(curves(descent, 0.5), statistic="median")
    assert 0 < half.value < found.value


def test_of_several_rates_the_worst_counts() -> None:
    near, far = curves(0.52, 0.5), curves(0.6, 0.5)
    both = pd.concat([near, far[far["path"] == "normalised"].assign(lr=0.05)])
    for statistic in ("max", "median"):
        found = analysis.measure_deviation(both, statistic=statistic)
        assert found.value == analysis.measure_deviation(far, statistic=statistic).value


def test_without_the_flow_nothing_is_known_of_the_deviation() -> None:
    rows = curves(0.5, 0.5)
    found = analysis.measure_deviation(rows[rows["path"] == "normalised"], statistic="max")
    assert judge(found, Band(low=None, high=0.15)) == "unclear"


@pytest.mark.parametrize(("end", "judgement"), [(0.5, "holds"), (0.9, "fails"), (math.nan, "unclear")])
def test_the_fall_is_from_the_first_to_the_last_time(end: float, judgement: str) -> None:
    rows = curves(end, 0.5)
    found = analysis.measure_fall(rows[rows["path"] == "normalised"].sample(frac=1, random_state=0))
    assert judge(found, Band(low=None, high=0.6)) == judgement


@pytest.mark.parametrize(("loss", "value"), [(1e-20, -20), (0.1, -1), (0.0, -30), (math.inf, 6), (math.nan, 6)])
def test_the_largest_loss_is_capped(loss: float, value: float) -> None:
    rows = curves(0.5, 0.5)
    rows = rows[rows["path"] == "flow"].assign(loss=loss)
    found = analysis.measure_log10_loss(rows)
    assert found.value == pytest.approx(value)
    assert judge(found, Band(low=None, high=-15)) == ("holds" if value < -15 else "fails")


def test_the_figure_has_sharpness_loss_and_test_error() -> None:
    recipe = load.load(shipped()["eos/arora2022-network-flow"])
    rows = curves(0.52, 0.5).assign(test_error=20.0)
    figure = analysis.draw_flow({"curves": rows}, recipe)
    assert [ax.get_yscale() for ax in figure.axes] == ["linear", "log", "linear"]
    assert any("on the flow at most" in text.get_text() for text in figure.axes[1].texts)


def test_the_figure_shows_every_rate_and_no_bands_of_test_errors_but_the_flow_s() -> None:
    recipe = load.load(shipped()["eos/arora2022-network-flow"])
    rates = [curves(0.52, 0.5).query("path == 'normalised'").assign(lr=lr) for lr in (0.1, 0.2, 0.3, 0.4)]
    rows = pd.concat([*rates, curves(0.52, 0.5).query("path == 'flow'")]).assign(test_error=20.0)
    figure = analysis.draw_flow({"curves": rows}, recipe)
    figure.canvas.draw()
    assert [len(ax.lines) for ax in figure.axes] == [5, 5, 5]
    assert [len(ax.collections) for ax in figure.axes] == [5, 5, 1]
