"""eos/descent: the measures on logs with known answers, and the figures."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from resodectl.claims.verdict import judge
from resodectl.families.eos.descent import analysis
from resodectl.recipe import load
from resodectl.recipe.schema import Band


def log(seeds=(0, 1, 2, 3), records=20, after=10, ratio=1.0, **columns) -> pd.DataFrame:
    """Runs at lr 0.5 whose sharpness rises to the threshold 4, then hovers at `ratio` times it, with a little noise."""
    rng = np.random.default_rng(0)
    rows = []
    for seed in seeds:
        for record in range(records):
            late = record >= after
            level = ratio if late else 0.5 + 0.5 * record / after
            row = {
                "seed": seed,
                "step": 10 * record,
                "lr": 0.5,
                "momentum": 0.0,
                "threshold": 4.0,
                "method": "gradient",
            }
            row |= {"sharpness": 4 * level * math.exp(0.005 * rng.normal()), "rises": 0.3 if late else 0.0}
            row |= {"loss": math.exp(-0.2 * record), "phase": "after" if late else "before"}
            row |= {"mean_loss": row["loss"], "run": "large", "problem": "images-200", "diverged": False}
            rows.append(row | columns)
    return pd.DataFrame(rows)


def verdict(estimate, low, high) -> str:
    return judge(estimate, Band.model_validate([low, high]))


@pytest.mark.parametrize(("ratio", "judgement"), [(1.01, "holds"), (0.9, "fails"), (1.2, "fails")])
def test_the_edge_ratio_is_sharpness_over_the_threshold(ratio, judgement):
    rows = log(ratio=ratio)
    estimate = analysis.measure_edge_ratio(rows[rows["phase"] == "after"])
    assert estimate.value == pytest.approx(ratio, rel=0.01)
    assert estimate.units == 4
    assert verdict(estimate, 0.98, 1.06) == judgement


@pytest.mark.parametrize(("rule", "value"), [("gradient", 1.0), ("polyak", 1 / 1.9), ("nesterov", 2.8 / 1.9)])
def test_the_threshold_of_another_rule_is_that_of_its_formula(rule, value):
    rows = log(momentum=0.9)
    estimate = analysis.measure_edge_ratio(rows[rows["phase"] == "after"], threshold=rule)
    assert estimate.value == pytest.approx(value, rel=0.01)
    assert verdict(estimate, 0.98, 1.06) == ("holds" if rule == "gradient" else "fails")


@pytest.mark.parametrize(("ratio", "judgement"), [(0.9, "holds"), (1.2, "fails")])
def test_the_largest_ratio_is_that_of_all_records(ratio, judgement):
    rows = log(ratio=ratio)
    rows.loc[rows["phase"] == "before", "sharpness"] = 2.0
    assert verdict(analysis.measure_largest_ratio(rows), None, 0.95) == judgement
    rows.loc[3, "sharpness"] = math.nan
    assert verdict(analysis.measure_largest_ratio(rows), None, 0.95) == "unclear"


def test_sharpening_is_the_last_sharpness_over_the_first_whatever_the_order_of_rows():
    estimate = analysis.measure_sharpening(log(ratio=1.0).sample(frac=1, random_state=0))
    assert estimate.value == pytest.approx(2, rel=0.02)
    assert verdict(estimate, 1.5, None) == "holds"
    assert verdict(analysis.measure_sharpening(log(after=0)), 1.5, None) == "fails"


def test_rises_are_counted_from_the_first_step_on():
    rows = log()
    before, after = (analysis.measure_rises(rows[rows["phase"] == phase]) for phase in ("before", "after"))
    assert (before.value, after.value) == (0.0, pytest.approx(0.3))
    assert (verdict(before, None, 0.0), verdict(after, None, 0.0)) == ("holds", "fails")
    assert (verdict(before, 0.1, None), verdict(after, 0.1, None)) == ("fails", "holds")
    assert analysis.measure_rises(log(after=0, records=2)).value == pytest.approx(0.3)  # step 0 is no step


@pytest.mark.parametrize(("records", "judgement"), [(20, "holds"), (12, "fails")])
def test_the_loss_ratio_compares_the_end_with_the_record_of_the_crossing(records, judgement):
    estimate = analysis.measure_loss_ratio(log(records=records))
    last = np.exp(-0.2 * np.arange(records)[-max(1, round(0.1 * records)) :]).mean()
    assert estimate.value == pytest.approx(last / math.exp(-0.2 * 9))
    assert verdict(estimate, None, 0.25) == judgement
    assert verdict(analysis.measure_loss_ratio(log(after=20)), None, 0.25) == "unclear"


@pytest.mark.parametrize(("gap", "judgement"), [(1.05, "holds"), (1.5, "fails")])
def test_the_distance_from_flow_is_taken_at_common_times(gap, judgement):
    descent = log()
    flow = descent[descent["step"] < 100].assign(method="flow", run="flow")
    flow = flow.assign(sharpness=gap * flow["sharpness"])
    # the flow counts a time of 0.1 as a step; every tenth of its records has a time that descent has too
    fine = flow.loc[flow.index.repeat(10)].assign(lr=0.1)
    fine["step"] = 5 * fine["step"] + 5 * fine.groupby("seed").cumcount().mod(10)
    fine.loc[fine["step"] % 50 > 0, "sharpness"] = 1e9
    found = [analysis.measure_distance_from_flow(pd.concat([descent, own])).value for own in (flow, fine)]
    assert found == pytest.approx([math.log(gap)] * 2)
    assert math.isnan(analysis.measure_distance_from_flow(descent).value)
    alone = pd.concat([descent, flow[flow["step"] == 0]])  # both begin at the same weights, which says nothing
    assert math.isnan(analysis.measure_distance_from_flow(alone).value)
    estimate = analysis.measure_distance_from_flow(pd.concat([descent, flow]))
    assert estimate.value == pytest.approx(math.log(gap))
    assert verdict(estimate, None, 0.15) == judgement


@pytest.mark.parametrize("name", ["chebyshev", "sharpening", "momentum"])
@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_figures_are_drawn_from_one_seed_and_from_many_and_say_what_diverged(name, seeds):
    path = Path(__file__).parents[3] / "recipes" / "eos" / f"cohen2021eos-{name}.yaml"
    recipe = load.load(path, load.Request(profile="smoke"))
    rows = pd.concat(
        log(seeds, method=method, momentum=beta, lr=lr, threshold=2 / lr, problem=f"chebyshev-{3 + number}")
        for number, (method, beta, lr) in enumerate([("gradient", 0.0, 0.5), ("flow", 0.0, 0.5), ("polyak", 0.9, 0.1)])
        if name != "momentum" or method != "flow"
    )
    rows.loc[rows["step"] > 150, "diverged"] = True
    rows.loc[rows["step"] > 150, ["loss", "sharpness"]] = math.nan
    figure = getattr(analysis, f"draw_{recipe.file.draw}")({"curves": rows}, recipe)
    assert len(figure.axes) == {"chebyshev": 6, "sharpening": 4, "momentum": 4}[name]
    assert any("diverged" in text.get_text() for text in figure.axes[0].texts)


@pytest.mark.parametrize("draw", ["problems", "methods", "flow"])
def test_runs_of_one_rate_and_many_rates_have_curves_of_their_own(draw):
    kinds = [("gradient", 0.0, "descent"), ("polyak", 0.5, "descent"), ("gradient", 0.0, "again")]
    runs = [log(method=m, momentum=b, run=r, lr=lr) for m, b, r in kinds for lr in (0.1, 0.2, 0.3)]
    figure = getattr(analysis, f"draw_{draw}")({"curves": pd.concat(runs)}, SimpleNamespace(title="", claims=()))
    figure.canvas.draw()
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 20]
    assert len(lines) == 2 * (1 if draw == "methods" else 9)  # the median, and the first seed
    assert figure.axes[0].get_title("center") == {"problems": "200 images", "flow": ""}.get(
        draw, "no momentum, $\\eta = 0.1$"
    )
