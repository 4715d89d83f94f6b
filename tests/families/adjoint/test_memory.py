"""adjoint/memory: exact byte counts, and measures on logs with known growth."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from resodectl.claims.verdict import judge
from resodectl.families.adjoint.memory import analysis, spec
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

BATCH, DIM, HIDDEN = 500, 300, 8  # states of 600 kB, pulled back one by one


def counted(method, depth, dtype="float32"):
    point = spec.Point(method=method, depth=depth, dim=DIM, hidden=HIDDEN, batch=BATCH, dtype=dtype)
    return simulated("adjoint/memory", point)["memory"].iloc[0]


@pytest.mark.parametrize(("dtype", "size"), [("float32", 4), ("float64", 8)])
def test_backprop_keeps_the_activations_of_every_layer_and_the_adjoint_one_state(dtype, size):
    for depth in (1, 4):
        layer = BATCH * (DIM + HIDDEN) * size
        kept = counted("backprop", depth, dtype)
        assert (kept["saved_bytes"], kept["layer_bytes"]) == (depth * layer, layer)
        assert counted("adjoint", depth, dtype)["saved_bytes"] == BATCH * DIM * size


def test_the_peak_of_the_adjoint_stays_and_that_of_backprop_grows_by_a_layer():
    assert counted("adjoint", 2)["peak_bytes"] == counted("adjoint", 9)["peak_bytes"]
    layer = BATCH * (DIM + HIDDEN) * 4
    assert counted("backprop", 9)["peak_bytes"] - counted("backprop", 2)["peak_bytes"] == 7 * layer


def log(method, fixed, each):
    depths = np.array([1, 10, 100])
    counts = fixed + each * depths
    return pd.DataFrame(
        {"method": method, "depth": depths, "seed": 0, "saved_bytes": counts, "peak_bytes": counts, "layer_bytes": 50}
    )


@pytest.mark.parametrize("count", ["saved", "peak"])
@pytest.mark.parametrize(("each", "judgement"), [(0, "holds"), (5, "fails")])
def test_growth_is_the_ratio_of_the_deepest_to_the_shallowest(count, each, judgement):
    estimate = analysis.measure_growth(log("adjoint", 1000, each), count=count)
    assert estimate.value == pytest.approx((1000 + 100 * each) / (1000 + each))
    assert estimate.method == "exact"
    assert judge(estimate, Band.model_validate([None, 1.05])) == judgement


@pytest.mark.parametrize("count", ["saved", "peak"])
@pytest.mark.parametrize(("each", "judgement"), [(50, "holds"), (0, "fails"), (60, "fails")])
def test_growth_per_layer_is_in_units_of_a_layers_activations(count, each, judgement):
    estimate = analysis.measure_growth_per_layer(log("backprop", 1000, each), count=count)
    assert estimate.value == pytest.approx(each / 50)
    assert judge(estimate, Band.model_validate([0.999, 1.001])) == judgement


@pytest.mark.parametrize(("kept", "judgement"), [(49, "holds"), (51, "fails"), (98, "fails")])
def test_what_is_kept_at_the_worst_depth_is_in_units_of_a_layers_activations(kept, judgement):
    rows = log("adjoint", 40, 0)
    rows.loc[rows["depth"] == 10, "saved_bytes"] = kept
    estimate = analysis.measure_layers_kept(rows)
    assert estimate.value == pytest.approx(kept / 50)
    assert judge(estimate, Band.model_validate([None, 1])) == judgement


def test_what_the_log_could_not_tell_apart_and_depths_of_no_layer_are_refused():
    values = {"methods": ("adjoint",), "depths": (1, 3), "seeds": 1, "dim": 4, "hidden": 2, "batch": 3}
    spec.Params(**values)
    for changes in ({"methods": ("adjoint", "adjoint")}, {"depths": (3, 3)}):
        with pytest.raises(ValidationError, match="give each value once"):
            spec.Params(**values | changes)
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        spec.Params(**values | {"depths": (0,)})


def test_a_single_depth_says_nothing_of_growth():
    single = log("backprop", 1000, 50).iloc[:1]
    for measure in (analysis.measure_growth, analysis.measure_growth_per_layer):
        assert judge(measure(single, count="saved"), Band.model_validate([0.999, 1.001])) == "unclear"


def test_the_figure_has_both_counts_of_both_methods():
    path = Path(__file__).parents[3] / "recipes/adjoint/sander2022-memory.yaml"
    rows = pd.concat([log("backprop", 1000, 50), log("adjoint", 1000, 0)])
    figure = analysis.draw_memory({"memory": rows}, load.load(path, load.Request(profile="smoke")))
    assert [len(ax.lines) for ax in figure.axes] == [3, 3]


@pytest.mark.parametrize("methods", [("backprop",), ("adjoint",), ("adjoint", "backprop")])
@pytest.mark.parametrize("depths", [[100], [1, 10, 100]])
def test_the_figure_is_drawn_for_all_that_may_be_asked(methods, depths):
    rows = pd.concat(log(method, 1000, 50) for method in methods)
    recipe = load.load(Path(__file__).parents[3] / "recipes/adjoint/sander2022-memory.yaml", load.Request("smoke"))
    figure = analysis.draw_memory({"memory": rows[rows["depth"].isin(depths)]}, recipe)
    figure.draw_without_rendering()
    assert [len(ax.lines) for ax in figure.axes] == [len(methods) + 1] * 2
