"""Measures and drawings of logs that are known."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from resodectl.claims.verdict import judge
from resodectl.families.scaling.linear_residuals import analysis, spec
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

FIGURE = ((-0.8744, -0.9937), (0.7185, 0.3015))
RECIPES = Path(__file__).parents[3] / "recipes/scaling"


def known_training(order, init="smooth", noise=0.02):
    rng = np.random.default_rng(0)
    rows = []
    for seed in range(8):
        for depth in (8, 16, 32):
            for step in (0, 1, 2):
                value = depth**order * (1 + step) * math.exp(noise * rng.normal())
                rows.append({"init": init, "lr": 1.0, "seed": seed, "depth": depth, "step": step})
                rows[-1] |= {"loss": 10.0**-step, "doubling_distance": value, "output_distance": value}
                rows[-1] |= {"imbalance": value}
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("order", "judgement"), [(-1.0, "holds"), (0.0, "fails"), (-0.5, "fails")])
@pytest.mark.parametrize("of", ["doubling_distance", "output_distance"])
def test_the_slope_is_the_order_of_the_worst_step(of, order, judgement):
    rows = known_training(order)
    found = analysis.measure_loglog_slope(rows, of=of)
    assert (found.units, judge(found, Band.model_validate([-1.15, -0.85]))) == (8, judgement)
    rows.loc[5, of] = math.nan
    assert judge(analysis.measure_loglog_slope(rows, of=of), Band.model_validate([-1.15, -0.85])) == "unclear"


def test_values_from_zero_weights_are_exact_and_others_are_over_seeds():
    zero = analysis.measure_loglog_slope(known_training(-1.0, "zero", noise=0), of="output_distance")
    assert (zero.method, zero.value) == ("exact", pytest.approx(-1))
    assert analysis.measure_loglog_slope(known_training(-1.0), of="output_distance").method == "student"


@pytest.mark.parametrize(("slowest", "judgement"), [(33, "holds"), (34, "fails"), (401, "fails")])
def test_steps_to_a_loss_are_those_of_the_slowest_network(slowest, judgement):
    rows = pd.DataFrame({"init": "zero", "seed": 0, "depth": (8, 100), "level": 1e-5, "passage": (30, slowest)})
    found = analysis.measure_steps_to_loss(rows)
    assert (found.value, found.method) == (slowest, "exact")
    assert judge(found, Band.model_validate(33)) == judgement


@pytest.mark.parametrize(("loss", "logarithm"), [(1e-7, -7), (0.0, -32), (math.nan, math.nan)])
def test_the_loss_is_the_largest_at_the_last_step(loss, logarithm):
    rows = known_training(0.0)
    rows.loc[(rows["step"] == 2), "loss"] = 0.0
    rows.loc[(rows["step"] == 2) & (rows["depth"] == 16), "loss"] = loss
    found = analysis.measure_log10_loss(rows)
    assert found.value == pytest.approx(logarithm, nan_ok=True)
    assert judge(found, Band.model_validate([None, -6])) == ("unclear" if math.isnan(loss) else "holds")


@pytest.mark.parametrize(("change", "judgement"), [(2.0, "holds"), (0.1, "fails"), (math.nan, "unclear")])
def test_the_change_is_that_of_the_network_that_moves_least(change, judgement):
    rows = known_training(0.0).assign(change=3.0)
    rows.loc[(rows["step"] == 2) & (rows["depth"] == 16), "change"] = change
    assert judge(analysis.measure_least_change(rows), Band.model_validate([1, None])) == judgement


def test_the_scaled_jump_is_that_of_the_deepest_network():
    rows = pd.DataFrame({"init": "zero", "seed": 0, "step": (0, 9, 9), "depth": (4, 2, 4), "jump": (9.0, 8.0, 1.5)})
    assert analysis.measure_scaled_jump(rows).value == 6.0


def known_jumps(order, scale=4.0):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"init": "rough", "seed": seed, "depth": depth, "step": step, "part": "weights"}
        | {"jump": scale * (1 + 7 * (step < 9)) * depth**order * math.exp(0.01 * rng.normal())}
        for seed in range(6)
        for depth in (16, 64, 256)
        for step in (0, 9)
    )


@pytest.mark.parametrize(("order", "growth", "judgement"), [(-1.0, 1.0, "holds"), (0.0, 16.0, "fails")])
def test_jump_growth_is_one_for_lipschitz_weights_and_the_ratio_of_depths_for_rough_ones(order, growth, judgement):
    found = analysis.measure_jump_growth(known_jumps(order))
    assert found.value == pytest.approx(growth, rel=0.03)
    assert judge(found, Band.model_validate([0.95, 1.05])) == judgement


@pytest.mark.parametrize(
    ("order", "scale", "judgement"), [(0.0, 1.2, "holds"), (0.0, 0.6, "fails"), (-1.0, 4, "fails")]
)
def test_the_least_jump_is_that_of_the_smoothest_network_after_training(order, scale, judgement):
    found = analysis.measure_least_jump(known_jumps(order, scale))
    assert judge(found, Band.model_validate([0.8, None])) == judgement


@pytest.mark.parametrize(("order", "judgement"), [(1.0, "holds"), (2.0, "fails")])
def test_the_balance_slope_is_the_order_in_the_learning_rate(order, judgement):
    lrs = (0.02, 0.1, 0.2)
    rows = pd.concat(known_training(0.0, "zero", 0).assign(lr=lr, imbalance=lr**order) for lr in lrs)
    assert judge(analysis.measure_balance_slope(rows), Band.model_validate([0.9, 1.1])) == judgement


def drawn(name, **changes):
    """The figure of a recipe whose params are away from the shipped ones, from rows of its own cells."""
    values = {"target": FIGURE, "inits": ("zero", "rough"), "depths": (4,), "reference": 8, "shown": (4,)}
    params = spec.Params(**(values | {"seeds": 2, "steps": 3} | changes))
    recipe = load.load(RECIPES / f"sander2022-{name}.yaml", load.Request(profile="smoke"))
    runs = [simulated("scaling/linear-residuals", point, (0, 1)) for point in spec.cells(params)]
    log = {kind: pd.concat(run[kind] for run in runs) for kind in runs[0]}
    figure = getattr(analysis, f"draw_{recipe.file.draw}")(log, SimpleNamespace(title="", params=params))
    FigureCanvasAgg(figure).draw()
    return figure


ONE, THREE = ((2.0,),), ((1.0, 0.5, 0.0), (0.0, 1.0, 0.5), (0.5, 0.0, 1.0))


@pytest.mark.parametrize(
    ("changes", "weights", "regularization"),
    [
        ({}, 8, 6),
        ({"depths": (2,), "shown": (2,), "steps": 1}, 8, 6),
        ({"target": ONE}, 5, 6),
        ({"target": THREE, "depths": (4, 8), "inits": ("smooth", "zero", "rough")}, 8, 6),
        ({"shown": (4, 8), "depths": (4, 8), "steps": 60}, 12, 6),
        ({"inits": ("rough",)}, 7, 6),
        ({"inits": ("smooth",), "levels": (1e3, 1e-3)}, 7, 6),
        ({"balance": spec.Balance(lrs=(0.1,), time=0.4, depth=4)}, 8, 6),
        ({"balance": spec.Balance(lrs=(0.1, 0.2), time=0.4, depth=2), "inits": ("smooth", "rough")}, 8, 6),
    ],
)
def test_figures_are_drawn_of_all_that_the_spec_allows(changes, weights, regularization):
    assert len(drawn("linear-weights", **changes).axes) == weights
    assert len(drawn("implicit-regularization", **changes).axes) == regularization


def test_what_the_flow_conserves_is_an_empty_panel_without_further_runs():
    assert len(drawn("implicit-regularization").axes[5].lines) == 0


def test_the_training_of_the_shown_depth_is_drawn():
    losses = drawn("linear-weights", depths=(4, 8, 16), shown=(8,)).axes[5]
    assert [line.get_label() for line in losses.lines[:3]] == [f"loss, $N = {depth}$" for depth in (4, 8, 16)]
