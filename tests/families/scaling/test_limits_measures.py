"""Measures and drawings of logs that are known."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from resodectl.claims.verdict import judge
from resodectl.families.scaling.limits import analysis, spec
from resodectl.recipe import load
from resodectl.recipe.schema import Band

ERRORS = ("state_error", "jacobian_error", "gradient_error")
SCALINGS = {"neural-ode": (1.0, 0.0), "linear-ode": (0.5, 0.5), "ito-sde": (0.0, 1.0)}
BENDS = {"tanh": 0.0, "exp": 1.0, "softplus": 0.5}  # sigma''(0)


def known(order, limit="ito-sde", alpha=0.0, activation="exp", noise=0.3, drift=0.5, scale=1.0):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"limit": limit, "alpha": alpha, "activation": activation, "noise": noise, "drift": drift, "seed": seed}
        | {"depth": depth, "beta": 1 - alpha, "bias_noise": noise, "gain": 1.0}
        | {name: scale * depth**order * math.exp(0.02 * rng.normal()) for name in ERRORS}
        for seed in range(5)
        for depth in (64, 128, 256)
    )


@pytest.mark.parametrize(("order", "judgement"), [(-0.5, "holds"), (-1.0, "fails"), (0.0, "fails"), (2.0, "fails")])
@pytest.mark.parametrize("of", ["state", "jacobian", "gradient"])
def test_the_slope_is_the_order_of_the_error(of, order, judgement):
    found = analysis.measure_loglog_slope(known(order), of=of)
    assert (found.units, judge(found, Band.model_validate([-0.62, -0.38]))) == (5, judgement)


def test_the_slope_of_an_error_that_diverges_is_unclear():
    rows = known(-0.5)
    rows.loc[2, "state_error"] = math.inf
    assert judge(analysis.measure_loglog_slope(rows, of="state"), Band.model_validate([-9, 9])) == "unclear"


@pytest.mark.parametrize(("gain", "judgement"), [(16.0, "holds"), (5.6, "holds"), (1.0, "fails"), (4.0, "fails")])
def test_the_drift_is_worth_the_ratio_of_errors_in_the_deepest_network(gain, judgement):
    floor = known(0.0, drift=0.0, scale=gain * 256**-0.5)
    rows = pd.concat([known(-0.5), floor, known(0.0, drift=1.0)], ignore_index=True)
    found = analysis.measure_drift_gain(rows, of="jacobian")
    assert found.value == pytest.approx(gain, rel=0.05)
    assert judge(found, Band.model_validate([5, None])) == judgement


@pytest.mark.parametrize("sde", [True, False])
@pytest.mark.parametrize("depths", [(64,), (64, 128, 256)])
def test_the_figure_is_drawn_with_and_without_sdes_from_few_and_many_depths(depths, sde):
    path = Path(__file__).parents[3] / "recipes/scaling/cohen2021-limits.yaml"
    recipe = load.load(path, load.Request(profile="smoke"))
    rows = [
        known(-1.0, limit, alpha, activation, 0.3 * noisy) for limit, alpha, activation, noisy in analysis.ODE_CURVES
    ]
    rows += [known(-0.5, "ito-sde", 0.0, a, 0.3, drift) for a, drift in analysis.SDE_CURVES] if sde else []
    log = pd.concat(rows)
    figure = analysis.draw_limits({"errors": log[log["depth"].isin(depths)]}, recipe)
    assert len(figure.axes) == 6


def test_cases_without_a_look_and_cases_that_share_one_are_named_in_full():
    path = Path(__file__).parents[3] / "recipes/scaling/cohen2021-limits.yaml"
    recipe = load.load(path, load.Request(profile="smoke"))
    log = pd.concat(
        [
            known(-1.0, "linear-ode", 0.5, "tanh", 0.0),
            known(-1.0, "linear-ode", 0.5, "tanh", 0.0).assign(gain=2.0),
            known(-1.0, "neural-ode", 0.7, "softplus", 0.0),
            known(-0.5, "ito-sde", 0.0, "softplus", 0.3, 0.7).assign(bias_noise=0.0),
        ]
    )
    figure = analysis.draw_limits({"errors": log}, recipe)
    names = {line.get_label() for ax in figure.axes for line in ax.lines if ":" in str(line.get_label())}
    assert names == {
        "tanh, linear ODE: alpha 0.5, beta 0.5, noise 0, bias noise 0, gain 1",
        "tanh, linear ODE: alpha 0.5, beta 0.5, noise 0, bias noise 0, gain 2",
        "softplus, neural ODE: alpha 0.7, beta 0.3, noise 0, bias noise 0, gain 1",
        "softplus, Ito SDE: alpha 0, beta 1, noise 0.3, bias noise 0, gain 1, drift 0.7",
    }


@pytest.mark.parametrize("name", ["cases", "depths", "noisy_depths"])
def test_what_the_log_cannot_tell_apart_is_refused(name):
    case = {"limit": "ito-sde", "alpha": 0.0, "beta": 1.0, "noise": 0.3}
    lists = {"cases": (case,), "depths": (2,), "noisy_depths": (2,)}
    settings = {"reference_steps": 4, "paths": 1, "seeds": 1}
    spec.Params(**settings | lists | {"cases": (case, case | {"bias_noise": 0.1}, case | {"gain": 2.0})})
    twice = (case, case | {"bias_noise": 0.3}) if name == "cases" else (2, 2)
    with pytest.raises(ValidationError, match=r"is listed twice|give each value once"):
        spec.Params(**settings | lists | {name: twice})
