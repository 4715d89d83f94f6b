"""margin/simplicity-bias: outcomes of short runs against plain formulas, head starts, signs, the measures."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.context import stream
from resodectl.families.margin import certificate, leaky_relu
from resodectl.families.margin.leaky_settings import Hints, Training
from resodectl.families.margin.planar import labelled, linear_margin, pull
from resodectl.families.margin.simplicity_bias import analysis, spec
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

HINTS = Hints(near=0.05)
TRAINING = Training(lr=0.1, steps=300, late_step=0.1, late_decay=50.0, late_steps=300)


def logged(seeds: tuple[int, ...] = (0, 1, 2), **changes: object) -> dict[str, pd.DataFrame]:
    values = {"part": "signs", "data": "symmetric", "width": 2, "norm": None, "scales": (1e-4,), "hints": HINTS}
    values |= {"training": TRAINING, "copies": 3, "slope": 0.5, "ablation": "none", "dtype": "float64"}
    return simulated("margin/simplicity-bias", spec.Point(**(values | changes)), seeds)


def test_every_start_has_the_margins_of_its_draws_over_the_references() -> None:
    log = logged((0, 4), scales=(0.1, 1e-3))
    points = labelled("symmetric", HINTS)
    best = certificate.best_network(points, 0.5)
    neuron = 0.5 * linear_margin(points, np.ones(20))[1] / 2
    start = log["outcomes"][log["outcomes"]["moment"] == "start"].set_index(["scale", "copy", "seed"])
    assert len(start) == 12
    for (scale, copy, seed), row in start.iterrows():
        drawn = leaky_relu.draw([stream(seed, "start", copy)], 2, scale)
        margin = leaky_relu.normalised_margin(drawn, points, 0.5)[0]
        assert row["of_best"] == pytest.approx(margin / best.upper)
        assert row["of_neuron"] == pytest.approx(margin / neuron)
        assert 1 - 2e-6 < row["certified"] <= 1


def test_runs_on_symmetric_points_end_as_their_signs_say() -> None:
    log = logged(tuple(range(8)))
    late = log["outcomes"][log["outcomes"]["moment"] == "late"].set_index(["copy", "seed"])
    rules = log["predictions"].set_index(["rule", "copy", "seed"])
    points = labelled("symmetric", HINTS)
    mean = points.y @ points.x
    svm, _ = linear_margin(points, np.ones(20))
    for copy, seed in late.index:
        drawn = leaky_relu.draw([stream(seed, "start", copy)], 2, 1.0)
        a, w = drawn.a[0], drawn.w[0]
        sums = {"amplitudes": a + w @ mean / np.linalg.norm(mean), "outputs": a, "svm": a + w @ svm}
        ends_single = late.loc[(copy, seed), "of_neuron"] < 1.1
        for rule, values in sums.items():
            row = rules.loc[(rule, copy, seed)]
            assert row["single"] == (np.sign(values[0]) == np.sign(values[1]))
            assert row["right"] == (row["single"] == ends_single)
        assert rules.loc[("amplitudes", copy, seed), "right"]
        assert late.loc[(copy, seed), "of_best"] == pytest.approx(2 / 3 if ends_single else 1, abs=0.01)


def test_the_head_start_of_aligned_neurons_is_that_of_their_rates() -> None:
    growth = logged(
        (0, 1), part="growth", data="positive", norm=0.05, scales=(1e-7, 1e-4), width=20, copies=1,
        training=Training(lr=0.05, steps=2000, late_step=0.1, late_decay=50.0, late_steps=0),
    )["outcomes"]  # fmt: skip
    growth = growth[growth["moment"] == "grown"]
    assert (growth["norm"] >= 0.05).all()
    assert (growth["norm"] < 0.053).all()
    points = labelled("positive", HINTS)
    plus, minus = (np.linalg.norm(pull(points, 0.5, sign)) for sign in (1, -1))
    assert growth["predicted_slope"].to_numpy() == pytest.approx(2 * (1 - minus / plus))
    for _, own in growth.groupby("seed"):
        odds = own.set_index("scale")["log_odds"]
        slope = (odds[1e-4] - odds[1e-7]) / np.log(1e3)
        assert slope == pytest.approx(2 * (1 - minus / plus), rel=0.03)


def test_log_odds_are_those_of_the_masses_at_every_stage() -> None:
    rows = logged((3,), width=4, copies=1)["outcomes"].set_index("moment")
    drawn = leaky_relu.draw([stream(3, "start", 0)], 4, 1e-4)
    masses = np.abs(drawn.a[0]) * np.linalg.norm(drawn.w[0], axis=1)
    negative = masses[drawn.a[0] < 0].sum()
    assert rows.loc["start", "log_odds"] == pytest.approx(np.log(negative / (masses.sum() - negative)))
    assert rows.loc["start", "norm"] == pytest.approx(np.sqrt(drawn.square_norm()[0]))
    assert np.isfinite(rows["log_odds"]).all()


def test_impossible_recipes_are_refused() -> None:
    growth = {"data": ("positive",), "width": 20, "norm": 0.1, "scales": (1e-3,), "training": TRAINING}
    spec.Params(growth=spec.Growth(**growth), seeds=2)
    with pytest.raises(ValidationError, match="more than half of the norm"):
        spec.Params(growth=spec.Growth(**(growth | {"scales": (1e-3, 0.1)})), seeds=2)
    with pytest.raises(ValidationError, match="at least one of"):
        spec.Params(seeds=2)


def outcomes(of_best: list[float], of_neuron: list[float]) -> pd.DataFrame:
    """Two runs of each of three starts."""
    starts = {"seed": [0, 0, 0, 0, 1, 1], "copy": [0, 0, 1, 1, 0, 0]}
    return pd.DataFrame(starts | {"of_best": of_best * 3, "of_neuron": of_neuron * 3})


@pytest.mark.parametrize(
    ("of_best", "of_neuron", "shares"),
    [
        ([0.22, 0.99], [0.97, 4.4], (0.5, 0.5, 1.0)),
        ([0.22, 0.22], [1.0, 1.05], (1.0, 0.0, 1.0)),
        ([0.5, 0.99], [2.2, 4.4], (0.0, 0.5, 0.5)),
        ([-0.2, 0.1], [-1.0, 0.5], (0.0, 0.0, 0.0)),
    ],
)
def test_shares_count_the_runs_at_each_margin(
    of_best: list[float], of_neuron: list[float], shares: tuple[float, float, float]
) -> None:
    rows = outcomes(of_best, of_neuron)
    measures = (analysis.measure_single_share, analysis.measure_best_share, analysis.measure_decided_share)
    for measure, share in zip(measures, shares, strict=True):
        found = measure(rows)
        assert (found.value, found.units) == (share, 3)
        assert judge(found, Band(low=0.99, high=1.0)) == ("holds" if share == 1 else "fails")


@pytest.mark.parametrize(
    ("single", "wanted", "judgement"),
    [([1, 1, 0], -4.5, "holds"), ([0, 0, 0], -8.0, "fails"), ([1, 1, 1], -4.0, "holds"), ([1, 0, 0], -6.5, "fails")],
)
def test_the_critical_scale_is_between_those_at_which_the_outcome_changes(
    single: list[int], wanted: float, judgement: str
) -> None:
    starts = pd.DataFrame({"seed": np.repeat([0, 1, 2], 3), "copy": 0, "scale": [1e-4, 1e-5, 1e-8] * 3})
    rows = starts.assign(of_neuron=[1.0 if one else 4.0 for one in single[::-1]] * 3)
    found = analysis.measure_log10_critical_scale(rows)
    assert found.value == pytest.approx(wanted)
    assert judge(found, Band(low=-5.2, high=-3.7)) == judgement


@pytest.mark.parametrize(("right", "judgement"), [([True, True], "holds"), ([True, False], "fails")])
def test_predictions_are_counted(right: list[bool], judgement: str) -> None:
    rows = pd.DataFrame({"seed": [0, 0, 1, 1], "copy": 0, "right": right * 2})
    assert judge(analysis.measure_right_share(rows), Band(low=0.98, high=1.0)) == judgement


@pytest.mark.parametrize(("slope", "judgement"), [(0.44, "holds"), (0.23, "fails")])
def test_the_slope_of_log_odds_is_fitted_seed_by_seed(slope: float, judgement: str) -> None:
    scales = np.tile([1e-8, 1e-5, 1e-3], 3)
    rows = pd.DataFrame({"seed": np.repeat([0, 1, 2], 3), "scale": scales})
    rows["log_odds"] = slope * np.log(rows["scale"]) + rows["seed"]
    assert judge(analysis.measure_log_odds_slope(rows), Band(low=0.425, high=0.455)) == judgement


def test_the_figure_has_a_panel_for_each_part() -> None:
    recipe = load.load(shipped()["margin/lyu2021-simplicity-bias"], load.Request("smoke"))
    short = Training(lr=0.1, steps=20, late_step=0.1, late_decay=50.0, late_steps=20)
    longer = short.model_copy(update={"steps": 400})
    logs = [
        logged((0, 1), part="sweep", data="hinted", width=4, scales=(1e-8, 1e-2), copies=1, training=short),
        *(logged((0, 1), part="growth", data=data, norm=0.1, scales=(1e-4, 1e-3), copies=1, training=longer)
          for data in ("positive", "hinted")),
        *(logged((0, 1), width=width, copies=1, training=short) for width in (1, 2)),
    ]  # fmt: skip
    log = {kind: pd.concat([of[kind] for of in logs]) for kind in ("outcomes", "predictions")}
    assert len(analysis.draw_simplicity_bias(log, recipe).axes) == 4


def test_the_shares_of_runs_of_which_one_has_diverged_are_unknown() -> None:
    rows = outcomes([0.22, np.nan], [1.0, np.nan]).assign(scale=[1e-8, 1e-2] * 3)
    measures = (analysis.measure_single_share, analysis.measure_best_share, analysis.measure_decided_share)
    for measure in (*measures, analysis.measure_log10_critical_scale):
        assert judge(measure(rows), Band(low=-9.0, high=1.0)) == "unclear"
