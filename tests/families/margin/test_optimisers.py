"""margin/optimisers: runs against a plain loop in Python, the filter of runs, the measures, the figures."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.context import stream
from resodectl.families.margin.optimisers import analysis, spec
from resodectl.families.margin.toy import first_weights, points
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.margins.leaky_unit import losses
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

OPTIMISERS = ("gd", "adagrad", "rmsprop", "adam")
STEPS = 40


def logged(seeds: tuple[int, ...] = (0, 1), **changes: object) -> dict[str, pd.DataFrame]:
    values = {"optimisers": OPTIMISERS, "variant": "official", "epsilon": 1e-5, "lr": 0.1, "gd_lr": 0.1, "points": 20}
    values |= {"runs": 3, "drawn": 12, "steps": STEPS, "shown": (1,), "every": 20, "level": -1.0}
    return simulated("margin/optimisers", spec.Point(**(values | changes)), seeds)


def alone(name: str, seed: int, run: int, official: bool) -> tuple[np.ndarray, np.ndarray]:
    """The weights and the conditioner of one run after all steps: sums written out, points one by one."""
    data = points([stream(seed, "points")], 20, TensorPlace())
    w = first_weights([stream(seed, "weights")], 12, TensorPlace())[0, :, run].numpy()
    seen: list[np.ndarray] = []
    h = np.ones(3)
    for step in range(STEPS):
        gradient = np.zeros(3)
        for x, y in zip(data.inputs[0].numpy(), data.labels.numpy(), strict=True):
            along = x @ w[:2]
            slope = 1.0 if along >= 0 else 0.5
            gradient -= math.exp(-y * w[2] * slope * along) * y * slope * np.array([*(w[2] * x), along]) / 20
        seen.append(gradient**2)
        decay = 0.1 if official else 0.9
        mean = sum((1 - decay) * decay ** (step - s) * square for s, square in enumerate(seen))
        if name == "adagrad":
            h = (1e-5 + sum(seen)) ** -0.5
        elif name == "rmsprop":
            h = (1e-5 + mean) ** -0.5
        elif name == "adam":
            h = (1e-5 + mean / (1 - 0.9 ** (step + 1))) ** -0.5
        w = w - 0.1 * h * gradient
    return w, h


@pytest.mark.parametrize("variant", ["official", "paper"])
def test_every_run_is_that_of_a_plain_loop_over_its_points(variant: str) -> None:
    log = logged((5,), variant=variant)
    ended = log["runs"][(log["runs"]["at"] == "steps") & (log["runs"]["step"] == STEPS)].set_index(
        ["optimiser", "trial"]
    )
    h = log["conditioners"][log["conditioners"]["step"] == STEPS].set_index(["optimiser", "trial"])
    data = points([stream(5, "points")], 20, TensorPlace())
    for (name, run), row in list(ended.iterrows())[::2]:
        weights, conditioner = alone(name, 5, run, variant == "official")
        along = data.inputs[0].numpy() @ weights[:2]
        q = data.labels.numpy() * weights[2] * np.where(along >= 0, along, along / 2)
        assert row["margin"] == pytest.approx(q.min() / (weights @ weights), rel=1e-9)
        assert row["log_loss"] == pytest.approx(math.log(np.exp(-q).mean()), rel=1e-9)
        assert h.loc[(name, run), ["h_1", "h_2", "h_3"]].to_numpy(float) == pytest.approx(conditioner, rel=1e-9)
        roots = conditioner**-0.5
        assert h.loc[(name, run), "cosine"] == pytest.approx(roots.sum() / np.linalg.norm(roots) / 3**0.5)
        assert h.loc[(name, run), "anisotropy"] == pytest.approx(abs(conditioner * 1e-5**0.5 - 1).max())


def test_a_run_is_kept_if_all_optimisers_separate_the_points_and_others_are_drawn_instead() -> None:
    few, all_drawn = logged(runs=3), logged(runs=12)
    kept = few["runs"][few["runs"]["step"] == STEPS]
    assert (kept["margin"] > 0).all()
    assert (few["counts"]["drawn"] > 3).any()  # after so few steps some runs are rejected
    assert (few["counts"]["kept"] == 3).all()
    for seed, own in all_drawn["runs"].groupby("seed"):
        first_three = sorted(own["trial"].unique())[:3]
        assert sorted(kept.loc[kept["seed"] == seed, "trial"].unique()) == first_three
    assert (all_drawn["counts"]["drawn"] == 12).all()


def test_a_seed_gives_the_same_rows_alone_and_in_a_block() -> None:
    alone_, together = logged((1,)), logged((0, 1))
    for kind, rows in together.items():
        own = rows[rows["seed"] == 1].reset_index(drop=True)
        pd.testing.assert_frame_equal(own, alone_[kind], check_exact=False, rtol=1e-9)


def test_no_margin_is_above_the_bound_of_its_sign_and_some_are_above_that_of_the_other() -> None:
    log = logged(tuple(range(6)), runs=12, steps=400)
    ratios = log["certificates"].groupby("optimum_sign")["ratio"].max()
    assert ratios["same"] <= 1 + 1e-12
    assert ratios["opposite"] > 1
    ended = log["runs"][log["runs"]["step"] == 400]
    same = log["certificates"][log["certificates"]["optimum_sign"] == "same"]
    assert (ended["margin"] / ended["best"]).to_numpy() == pytest.approx(same["ratio"].to_numpy())


def test_at_a_given_loss_a_run_is_recorded_at_the_first_step_that_has_it() -> None:
    log = logged((3,), steps=200, shown=tuple(range(1, 201)), level=-0.5)
    runs = log["runs"]
    for _, own in runs.groupby(["optimiser", "trial"]):
        passed = own[own["at"] == "loss"].iloc[0]
        path = own[own["at"] == "steps"].sort_values("step")
        there = path[path["log_loss"] <= -0.5]
        if there.empty:
            assert passed["step"] == -1
            assert math.isnan(passed["margin"])
        else:
            assert passed["step"] == there["step"].iloc[0]
            assert passed["margin"] == pytest.approx(there["margin"].iloc[0])


def test_descent_with_small_steps_conserves_the_balance_of_the_layers() -> None:
    """v^2 - |w_12|^2 is constant along the flow, and along descent up to the learning rate."""
    data = points([stream(0, "points")], 100, TensorPlace())
    weights = first_weights([stream(0, "weights")], 5, TensorPlace())
    balance = weights[:, 2] ** 2 - weights[:, :2].square().sum(1)
    errors = []
    for lr in (1e-2, 1e-3):
        at = weights
        for _ in range(round(2 / lr)):
            here = losses(at, *data)
            at = at - lr * here.log_loss.exp().unsqueeze(1) * here.log_gradient
        errors.append((at[:, 2] ** 2 - at[:, :2].square().sum(1) - balance).abs().max().item())
    assert errors[1] < 1e-3
    assert errors[0] / errors[1] == pytest.approx(10, rel=0.2)


def test_points_are_separable_and_half_of_either_label() -> None:
    inputs, labels = points([stream(seed, "points") for seed in range(20)], 100, TensorPlace())
    assert labels.sum() == 0
    middle = torch.tensor([np.cos(0.5), np.sin(0.5)])
    noise = labels.unsqueeze(1) * (inputs - labels.unsqueeze(1) * middle)
    assert 0.59 < noise.abs().max() < 0.6
    assert ((inputs @ middle) * labels > 0).all()


@pytest.mark.parametrize("bad", [{"shown": (41,)}, {"runs": 13}, {"points": 7}, {"epsilon": -1.0}])
def test_impossible_settings_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        logged(**bad)


ROWS = pd.DataFrame(
    [
        {"seed": seed, "trial": run, "optimiser": optimiser, "margin": margin + 1e-6 * seed}
        for seed in (0, 1, 2)
        for optimiser, margins in {"a": (0.1, 0.3), "gd": (0.4, 0.2)}.items()
        for run, margin in enumerate(margins)
    ]
)


def test_measures_of_two_optimisers_compare_means_or_runs() -> None:
    assert analysis.measure_mean_ratio(ROWS, to="gd").value == pytest.approx(2 / 3, rel=1e-4)
    assert analysis.measure_difference(ROWS, to="gd").value == pytest.approx(1 / 3, rel=1e-4)
    assert analysis.measure_share_below(ROWS, to="gd").value == 0.5
    for rows in (ROWS[ROWS["optimiser"] == "gd"], ROWS[ROWS["optimiser"] == "a"]):
        assert math.isnan(analysis.measure_mean_ratio(rows, to="gd").value)
        assert math.isnan(analysis.measure_share_below(rows, to="gd").value)


@pytest.mark.parametrize(("value", "judgement"), [(1.0, "holds"), (0.95, "fails"), (math.nan, "unclear")])
def test_measures_of_conditioners_take_the_worst_run_or_the_mean(value: float, judgement: str) -> None:
    rows = pd.DataFrame({"seed": [0, 0, 1, 1], "cosine": [1.0, value, 1.0, value]})
    rows = rows.assign(anisotropy=1 - rows["cosine"], margin=rows["cosine"], best=1.0)
    band = Band(low=0.99, high=None)
    assert judge(analysis.measure_worst_cosine(rows), band) == judgement
    assert judge(analysis.measure_mean_cosine(rows), band) == judgement
    assert judge(analysis.measure_mean_gap(rows), band) == judgement
    assert judge(analysis.measure_worst_anisotropy(rows), Band(low=None, high=0.01)) == judgement


def test_what_is_left_of_a_conditioner_is_the_smallest_ratio_of_its_coordinates() -> None:
    begin = {"h_1": 2.0, "h_2": 4.0, "h_3": 1.0}
    rows = [
        {"seed": seed, "trial": run, "step": step, **(begin if step == 5 else {**begin, "h_2": 4.0 - run})}
        for seed in (0, 1)
        for run in (0, 1)
        for step in (5, 9)
    ]
    assert analysis.measure_least_left(pd.DataFrame(rows)).value == 0.75
    assert math.isnan(analysis.measure_least_left(pd.DataFrame(rows[::2])).value)


def test_the_largest_ratio_is_known_up_to_rounding_and_a_change_is_a_median() -> None:
    rows = pd.DataFrame({"seed": [0, 0, 0, 1, 1, 1], "ratio": [0.5, 1.0, 0.2] * 2, "moved": [0.1, 0.3, 9.0] * 2})
    assert judge(analysis.measure_largest_ratio(rows), Band(low=None, high=1 + 1e-9)) == "holds"
    assert judge(analysis.measure_largest_ratio(rows.assign(ratio=1.001)), Band(low=None, high=1 + 1e-9)) == "fails"
    assert analysis.measure_change(rows).value == pytest.approx(0.3)


def test_the_figures_show_points_directions_margins_accuracies_and_gaps() -> None:
    log = logged((0, 1), optimisers=(*OPTIMISERS, "scalar-adagrad"))
    recipe = load.load(shipped()["margin/wang2021-directions"])
    points_ax, *spaces = analysis.draw_directions(log, recipe).axes
    assert points_ax.get_xlim() == (-1.5, 1.5)
    assert [ax.get_title(loc="left") for ax in spaces] == ["(b) AdaGrad", "(c) RMSProp", "(d) Adam without momentum"]
    figure = analysis.draw_margins(log, load.load(shipped()["margin/wang2021-margins"]))
    assert [len(ax.lines) for ax in figure.axes[:3]] == [5, 5, 5]
    assert len(figure.axes[0].lines[0].get_xdata()) == 3
