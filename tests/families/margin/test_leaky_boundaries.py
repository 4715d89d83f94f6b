"""margin/leaky-boundaries: rows against plain formulas, the measures on made-up rows, the figure."""

import math

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.context import stream
from resodectl.families.margin import leaky_relu
from resodectl.families.margin.leaky_boundaries import analysis, spec
from resodectl.families.margin.leaky_relu import Neurons
from resodectl.families.margin.leaky_settings import Hints, Training
from resodectl.families.margin.planar import labelled, linear_margin
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

TRAINING = Training(lr=0.1, steps=300, late_step=0.05, late_decay=50.0, late_steps=200)


def logged(seeds: tuple[int, ...] = (0, 1, 2), **changes: object) -> dict[str, pd.DataFrame]:
    values = {"panel": "hinted", "data": "hinted", "width": 3, "scales": (0.5, 1e-4), "hints": Hints(far=3.0)}
    values |= {"training": TRAINING, "slope": 0.4, "ablation": "none", "dtype": "float64"}
    return simulated("margin/leaky-boundaries", spec.Point(**(values | changes)), seeds)


def weights(log: dict[str, pd.DataFrame], seed: int, scale: float) -> Neurons:
    """The network of a run up to balancing: |a_k| w_k / |theta|^2 and the sign of a_k."""
    rows = log["neurons"]
    own = rows[(rows["seed"] == seed) & (rows["scale"] == scale)]
    products = own[["first", "second"]].to_numpy()
    return Neurons(products[None], np.where(own["positive"], 1.0, -1.0)[None])


def test_margin_bend_and_boundary_are_those_of_the_logged_neurons() -> None:
    log = logged()
    points = labelled("hinted", Hints(far=3.0))
    runs = log["runs"][log["runs"]["moment"] == "late"].set_index(["seed", "scale"])
    for (seed, scale), run in runs.iterrows():
        found = weights(log, seed, scale)
        values = points.y * found.outputs(points.x, 0.4)[0]
        assert run["margin"] == pytest.approx(values.min(), rel=1e-9)
        assert run["bend"] == pytest.approx(leaky_relu.linear_part(found, 0.4)[1][0], rel=1e-9)
        masses = np.linalg.norm(found.w[0], axis=1)
        assert run["positive_mass"] == pytest.approx(masses[found.a[0] > 0].sum() / masses.sum(), rel=1e-9)
        rays = log["rays"]
        own = rays[(rays["seed"] == seed) & (rays["scale"] == scale)].groupby("curve")["angle"]
        angles = own.get_group("network").to_numpy()
        np.testing.assert_allclose(found.outputs(np.stack([np.cos(angles), np.sin(angles)], 1), 0.4)[0], 0, atol=1e-9)
        assert run["off_line"] == pytest.approx(np.degrees(np.abs(np.arcsin(np.cos(angles)))).max(), abs=1e-9)
        np.testing.assert_allclose(sorted(own.get_group("svm") % (2 * math.pi)), [math.pi / 2, 3 * math.pi / 2])


def test_the_first_stage_starts_from_the_draws_of_the_seed_at_every_scale() -> None:
    runs = logged()["runs"]
    points = labelled("hinted", Hints(far=3.0))
    for seed, scale in ((0, 0.5), (2, 1e-4)):
        own = runs[(runs["seed"] == seed) & (runs["scale"] == scale)].set_index("moment")
        start = leaky_relu.draw([stream(seed, "start")], 3, scale)
        margin = leaky_relu.normalised_margin(start, points, 0.4)[0]
        assert own.loc["start", "margin"] == pytest.approx(margin)
        b = (start.a + start.w[..., 0])[0]
        assert set(own["signs"]) == {"positive" if (b > 0).all() else "negative" if (b < 0).all() else "both"}


def test_references_are_the_margins_that_are_known() -> None:
    runs = logged((0,), panel="symmetric", data="symmetric", scales=(1e-3,))["runs"]
    points = labelled("symmetric", Hints())
    _, margin = linear_margin(points, np.ones(20))
    for stage in runs.itertuples():
        assert stage.best_linear == pytest.approx(1.4 / 4 * margin)
        assert stage.best_low == pytest.approx(stage.best_linear, rel=1e-6)
        assert stage.best_low <= stage.best_high <= (1 + 2e-6) * stage.best_low
        assert stage.best_neuron == pytest.approx(0.4 * margin / 2)


def test_cosines_are_with_the_best_line_and_the_mean() -> None:
    log = logged((0, 1), data="positive", panel="positive", scales=(1e-4,))
    points = labelled("positive", Hints())
    svm, _ = linear_margin(points, np.ones(20))
    mean = points.y @ points.x
    rows = log["directions"][log["directions"]["moment"] == "late"].set_index(["seed", "reference"])["cosine"]
    for seed in (0, 1):
        linear = leaky_relu.linear_part(weights(log, seed, 1e-4), 0.4)[0][0]
        for name, wanted in {"svm": svm, "mean": mean}.items():
            cosine = linear @ wanted / np.linalg.norm(linear) / np.linalg.norm(wanted)
            assert rows[seed, name] == pytest.approx(cosine, rel=1e-9)


def test_a_figure_without_panels_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least one of the panels"):
        spec.Params(seeds=2)


def rows(**columns: object) -> pd.DataFrame:
    """Three seeds with two runs each."""
    made = {"margin": 0.3, "best_low": 0.3, "best_high": 0.3, "best_linear": 0.3, "best_neuron": 0.15}
    made |= {"bend": 1e-4, "cosine": 1.0, "off_line": 0.01, "positive_mass": 1.0}
    return pd.DataFrame({"seed": [0, 0, 1, 1, 2, 2]} | made | columns)


@pytest.mark.parametrize(("second", "judgement"), [(0.3, "holds"), (0.29, "fails")])
def test_the_ratio_is_that_of_the_worst_run_of_a_seed(second: float, judgement: str) -> None:
    found = analysis.measure_ratio(rows(margin=[0.3, second] * 3), to="best_linear", of="lowest")
    assert found.value == pytest.approx(second / 0.3)
    assert judge(found, Band(low=0.9995, high=1 + 1e-9)) == judgement
    assert analysis.measure_ratio(rows(margin=[0.3, second] * 3), to="best_neuron", of="highest").value == 2


@pytest.mark.parametrize(("bend", "judgement"), [(1e-4, "holds"), (2e-2, "fails")])
def test_bends_and_cosines_are_those_of_the_worst_run(bend: float, judgement: str) -> None:
    assert judge(analysis.measure_bend(rows(bend=[0.0, bend] * 3)), Band(low=None, high=5e-4)) == judgement
    cosines = rows(cosine=[1.0, 1 - bend / 10] * 3)
    assert judge(analysis.measure_cosine(cosines), Band(low=0.9999, high=None)) == judgement


@pytest.mark.parametrize(("value", "judgement"), [(0.05, "holds"), (0.12, "fails")])
def test_margins_angles_and_masses_are_means_over_the_runs(value: float, judgement: str) -> None:
    pairs = [value - 0.001, value + 0.001] * 3
    found = (
        analysis.measure_margin(rows(margin=pairs)),
        analysis.measure_off_line(rows(off_line=pairs)),
        analysis.measure_positive_mass(rows(positive_mass=pairs)),
    )
    for estimate in found:
        assert estimate.value == pytest.approx(value)
        assert judge(estimate, Band(low=0.048, high=0.052)) == judgement


def test_the_certified_ratio_has_its_bounds_as_error() -> None:
    found = analysis.measure_best_over(rows(best_low=0.299, best_high=0.301), reference="best_neuron")
    assert (found.low, found.high) == pytest.approx((0.299 / 0.15, 0.301 / 0.15))
    assert found.method == "exact"


def test_the_figure_has_a_panel_a_set_and_the_line_of_zeros_in_each() -> None:
    recipe = load.load(shipped()["margin/lyu2021-boundaries"], load.Request("smoke"))
    width = {name: panel.widths[-1] for name, panel in recipe.params.panels().items()}
    logs = [
        logged((0, 1), panel=name, data=name, width=width[name], scales=panel.scales, hints=Hints())
        for name, panel in recipe.params.panels().items()
    ]
    log = {kind: pd.concat([of[kind] for of in logs]) for kind in logs[0]}
    figure = analysis.draw_boundaries(log, recipe)
    assert len(figure.axes) == 3
    for ax in figure.axes:
        assert [line for line in ax.lines if line.get_label() == "$f = 0$ from small weights"]
        assert ax.get_xlim() == pytest.approx([-end for end in ax.get_xlim()[::-1]])
    assert "(10, 0)" in [text.get_text() for text in figure.axes[2].texts]
