"""margin/late-phase: distances from exact optima, the limits themselves, the measures, the figure."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.context import stream
from resodectl.families.margin.late_phase import analysis, spec
from resodectl.families.margin.late_phase.simulation import compared
from resodectl.families.margin.toy import Points, points
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.margins.leaky_unit import max_margin, normalised_margin, outputs
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

OPTIMISERS = ("gd", "adagrad", "rmsprop", "adam", "scalar-adagrad", "sign")


def logged(seeds: tuple[int, ...] = (0, 1), **changes: object) -> pd.DataFrame:
    values = {"optimisers": OPTIMISERS, "variant": "official", "epsilon": 1e-5, "lr": 0.1, "gd_lr": 0.01, "points": 20}
    values |= {"runs": 3, "plain_steps": 300, "scaled_steps": 700, "shown": (10, 100)}
    return simulated("margin/late-phase", spec.Point(**(values | changes)), seeds)["runs"]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return logged()


def at(rows: pd.DataFrame, optimiser: str, weighting: float, step: int = 700) -> pd.DataFrame:
    chosen = (rows["optimiser"] == optimiser) & (rows["weighting"] == weighting) & (rows["step"] == step)
    return rows[chosen]


def test_each_optimiser_comes_to_its_own_optimum_and_adagrad_not_to_the_ordinary_one(rows: pd.DataFrame) -> None:
    for name in ("gd", "rmsprop", "adam", "scalar-adagrad"):
        assert at(rows, name, 0.0)["degrees"].max() < 0.6
        assert at(rows, name, 0.0)["ratio"].min() > 0.99
    assert at(rows, "adagrad", 1.0)["degrees"].max() < 0.6
    assert at(rows, "adagrad", 0.0)["degrees"].max() > 5
    assert at(rows, "sign", 0.0)["degrees"].max() > 5


def test_no_margin_is_above_its_bound_and_the_norm_grows_beyond_what_a_loss_can_show(rows: pd.DataFrame) -> None:
    assert rows["ratio"].max() <= 1 + 1e-12
    late = rows[rows["step"] == 700]
    assert (late["log_loss"] < -1e5).all()
    assert np.isfinite(late["log_loss"]).all()
    assert (late["norm"] > 1e3).all()


def test_records_are_of_the_first_weights_the_plain_steps_and_the_scaled_ones(rows: pd.DataFrame) -> None:
    assert sorted(rows["step"].unique()) == [-1, 0, 10, 100, 700]
    assert sorted(rows.loc[rows["step"] == 100, "weighting"].unique()) == [0, 1]
    assert sorted(rows.loc[rows["step"] == 700, "weighting"].unique()) == [-1, 0, 0.5, 1, 2]
    first = rows[(rows["step"] == -1) & (rows["weighting"] == 0)]
    drawn = stream(1, "weights").uniform(-1, 1, (3, 3))
    for name in OPTIMISERS:
        own = first[(first["seed"] == 1) & (first["optimiser"] == name)]
        assert own["norm"].to_numpy() == pytest.approx(np.linalg.norm(drawn, axis=1))


def mean_loss(weights: torch.Tensor, data: Points) -> torch.Tensor:
    return outputs(weights, *data).neg().exp().mean(1).log()


def test_the_surrogate_margin_is_that_of_the_log_of_the_summed_loss_between_the_margin_and_log_n_below_it() -> None:
    data = points([stream(0, "points")], 20, TensorPlace())
    h = torch.tensor([0.5, 2.0, 3.0], dtype=torch.float64).view(1, 3, 1)
    weights = 3.0 * max_margin(*data, torch.ones(1, 1, dtype=torch.float64)).direction
    found = {name: values.item() for name, values in compared(weights, data, h, mean_loss(weights, data)).items()}
    sum_loss = sum(math.exp(-q) for q in outputs(weights, *data).flatten().tolist())
    squares = sum(w**2 / k for w, k in zip(weights.flatten().tolist(), (0.5, 2.0, 3.0), strict=True))
    best = max_margin(*data, torch.ones(1, 1, dtype=torch.float64), h).margin.item()
    assert found["surrogate_ratio"] == pytest.approx(-math.log(sum_loss) / squares / best)
    assert 0 < found["ratio"] - found["surrogate_ratio"] < math.log(20) / squares / best


def test_the_surrogate_margin_tends_to_the_margin_from_below(rows: pd.DataFrame) -> None:
    gaps = (rows["ratio"] - rows["surrogate_ratio"])[rows["optimiser"] != "sign"]
    assert gaps.min() > -1e-12
    assert gaps[rows["step"] == 0].min() > 1e-3
    assert gaps[rows["step"] == 700].max() < 1e-4


def test_the_optimum_is_at_no_distance_and_a_turned_one_at_its_angle() -> None:
    data = points([stream(0, "points")], 20, TensorPlace())
    h = torch.tensor([0.5, 2.0, 3.0], dtype=torch.float64).view(1, 3, 1)
    optimum = max_margin(*data, torch.ones(1, 1, dtype=torch.float64), h).direction
    found = compared(5.0 * optimum, data, h, mean_loss(5.0 * optimum, data))
    assert found["ratio"].item() == pytest.approx(1, rel=1e-12)
    assert found["degrees"].item() == pytest.approx(0, abs=1e-6)
    across = torch.linalg.cross(optimum, torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64).view(1, 3, 1), dim=1)
    across = across / across.norm(dim=1, keepdim=True)
    turned = math.cos(0.1) * optimum + math.sin(0.1) * across
    found = compared(turned, data, h, mean_loss(turned, data))
    assert found["degrees"].item() == pytest.approx(math.degrees(0.1))
    assert found["ratio"].item() < 1
    plain = compared(turned, data, torch.ones_like(h), mean_loss(turned, data))
    best = max_margin(*data, torch.ones(1, 1, dtype=torch.float64)).margin
    assert plain["ratio"].item() == pytest.approx((normalised_margin(turned, *data) / best).item())


def test_a_seed_gives_the_same_rows_alone_and_in_a_block(rows: pd.DataFrame) -> None:
    own = rows[rows["seed"] == 1].sort_values(["step", "weighting", "optimiser", "trial"]).reset_index(drop=True)
    alone = logged((1,)).sort_values(["step", "weighting", "optimiser", "trial"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(own[own["step"] <= 10], alone[alone["step"] <= 10], rtol=1e-6, atol=1e-9)


def test_records_of_steps_that_are_not_taken_are_refused() -> None:
    with pytest.raises(ValidationError, match="only 700 scaled steps"):
        logged(shown=(701,))


def test_angles_stay_within_the_steps_as_these_become_shorter(rows: pd.DataFrame) -> None:
    late = rows[(rows["step"] >= 0) & (rows["optimiser"] == "gd")]
    lengths = late.groupby("step")["length"].agg(["min", "max"])
    assert (lengths["min"] == lengths["max"]).all()
    assert np.radians(lengths["min"].to_numpy()) == pytest.approx(0.05 * (1 + np.array([0, 10, 100, 700]) / 50) ** -0.7)
    assert rows.loc[rows["step"] < 0, "length"].isna().all()
    assert (at(rows, "gd", 0.0)["degrees"] < at(rows, "gd", 0.0)["length"]).all()
    assert (at(rows, "gd", 0.0, 0)["degrees"] > at(rows, "gd", 0.0, 0)["length"]).any()


@pytest.mark.parametrize(("worst", "judgement"), [(0.01, "holds"), (3.0, "fails"), (math.nan, "unclear")])
def test_the_worst_run_of_a_seed_decides(worst: float, judgement: str) -> None:
    rows = pd.DataFrame({"seed": [0, 0, 1, 1], "degrees": [0.0, worst] * 2, "length": 0.1})
    rows = rows.assign(ratio=1 - rows["degrees"] / 100)
    assert judge(analysis.measure_worst_miss(rows), Band(low=None, high=1.0)) == judgement
    assert judge(analysis.measure_worst_ratio(rows), Band(low=0.999, high=None)) == judgement
    surrogate = rows.rename(columns={"ratio": "surrogate_ratio"})
    assert (
        judge(analysis.measure_worst_ratio(surrogate, margin="surrogate_ratio"), Band(low=0.999, high=None))
        == judgement
    )


@pytest.mark.parametrize(("own", "expected"), [(0.01, 9.0), (0.5, 4.0)])
def test_only_runs_at_their_own_optimum_are_asked_how_far_the_ordinary_one_is(own: float, expected: float) -> None:
    cells = [(0, 0.0, 4.0), (0, 1.0, 0.02), (1, 0.0, 9.0), (1, 1.0, own)]
    rows = pd.DataFrame(
        [
            {"seed": seed, "optimiser": "adagrad", "trial": run, "weighting": weighting, "degrees": angle}
            for seed in (0, 1)
            for run, weighting, angle in cells
        ]
    )
    assert analysis.measure_worst_angle_of_converged(rows, converged=0.1).value == expected
    assert math.isnan(analysis.measure_worst_angle_of_converged(rows, converged=1e-3).value)


def test_the_figure_shows_both_angles_and_the_margins(rows: pd.DataFrame) -> None:
    recipe = load.load(shipped()["margin/wang2021-kkt"])
    figure = analysis.draw_convergence({"runs": rows}, recipe)
    assert [len(ax.lines) for ax in figure.axes] == [6, 5, 7]
    assert figure.axes[1].get_ylim() == figure.axes[0].get_ylim()
