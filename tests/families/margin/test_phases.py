"""margin/phases: rows of short runs against plain loops and closed forms, the measures, the figure."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.context import stream
from resodectl.families.margin import certificate, leaky_relu
from resodectl.families.margin.leaky_relu import Neurons
from resodectl.families.margin.leaky_settings import Hints, Training
from resodectl.families.margin.phases import analysis, spec
from resodectl.families.margin.planar import labelled, pull
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

SLOPE = 0.4
TRAINING = Training(lr=0.1, steps=500, late_step=0.01, late_decay=100.0, late_steps=20)


def logged(seeds: tuple[int, ...] = (0, 1), **changes: object) -> dict[str, pd.DataFrame]:
    data = changes.pop("data", "symmetric")
    values = {"path": data, "data": data, "width": 4, "scale": 1e-3, "hints": Hints(), "training": TRAINING}
    values |= {"slope": SLOPE, "small_output": 0.1}
    values |= {"record_every": 10, "late_record_every": 5, "ablation": "none", "dtype": "float64"}
    return simulated("margin/phases", spec.Point(**(values | changes)), seeds)


def by_hand(seed: int, data: str = "symmetric") -> list[Neurons]:
    """The weights of one seed before each plain step."""
    points, neurons, path = labelled(data, Hints()), leaky_relu.draw([stream(seed, "start")], 4, 1e-3), []
    for _ in range(TRAINING.steps + 1):
        path.append(neurons)
        neurons = leaky_relu.descend(neurons, points, SLOPE, TRAINING.lr)
    return path


def test_phases_end_where_outputs_leave_the_small_ones_and_where_every_point_is_fitted() -> None:
    log = logged()
    points = labelled("symmetric", Hints())
    for row in log["runs"].itertuples():
        path = by_hand(row.seed)
        margins = [points.y * neurons.outputs(points.x, SLOPE)[0] for neurons in path]
        first = next(at for at, q in enumerate(margins) if np.abs(q).max() > 0.1)
        second = next(at for at, q in enumerate(margins) if np.log1p(np.exp(-q)).sum() < math.log(2))
        assert (row.first_end, row.second_end) == pytest.approx((first * 0.1, second * 0.1))
        assert row.predicted_first_end == pytest.approx(row.first_end, rel=0.1)
        kept = [(path[at].a ** 2 - (path[at].w ** 2).sum(2))[0] for at in (0, second)]
        size = (path[second].a ** 2 + (path[second].w ** 2).sum(2)).max()
        assert row.drift == pytest.approx(np.abs(kept[1] - kept[0]).max() / size)
        curves = log["curves"][(log["curves"]["seed"] == row.seed)]
        plain = curves[curves["phase"] != "III"]
        assert plain["time"].max() < row.second_end + 1e-9
        assert plain.loc[plain["phase"] == "I", "time"].max() < row.first_end
        for record in plain.itertuples():
            neurons = path[round(record.time / 0.1)]
            assert record.norm == pytest.approx(math.sqrt(neurons.square_norm()[0]))
        late = curves[curves["phase"] == "III"]
        assert len(late) == 5
        assert late["log10_time"].iloc[0] == pytest.approx(math.log10(row.second_end))


def test_late_records_follow_normalised_steps_with_the_time_of_the_flow() -> None:
    log = logged((0,))
    points = labelled("symmetric", Hints())
    best = certificate.best_network(points, SLOPE).upper
    run = log["runs"].iloc[0]
    neurons, time = by_hand(0)[round(run["second_end"] / 0.1)], run["second_end"]
    margins, smoothed = [], []
    for at in range(21):
        slope, q = leaky_relu.gradient(neurons, points, SLOPE)
        margins.append(q.min() / neurons.square_norm()[0])
        smoothed.append(-math.log(math.expm1(np.log1p(np.exp(-q)).sum())) / neurons.square_norm()[0])
        if at % 5 == 0:
            record = log["curves"][log["curves"]["phase"] == "III"].iloc[at // 5]
            assert record["of_best"] == pytest.approx(margins[-1] / best)
            assert record["log10_time"] == pytest.approx(math.log10(time))
        length = 0.01 / (1 + at / 100) ** 0.8 * math.sqrt(neurons.square_norm()[0])
        time += length / math.sqrt(slope.square_norm()[0])
        neurons = leaky_relu.descend_normalised(neurons, points, SLOPE, 0.01 / (1 + at / 100) ** 0.8)
    assert run["growth"] == pytest.approx(margins[-1] / margins[0])
    falls = [1 - after / before for before, after in pairwise(smoothed)]
    assert run["fall"] == pytest.approx(max(0, *falls), abs=1e-12)


def test_errors_are_distances_from_the_closed_form_and_from_what_is_left_of_it() -> None:
    rows = logged((1,))["errors"].set_index(["form", "time"])
    points = labelled("symmetric", Hints())
    mean = points.y @ points.x / 20
    unit, rate = mean / np.linalg.norm(mean), (1 + SLOPE) / 4 * np.linalg.norm(mean)
    start, path = by_hand(1)[0], by_hand(1)
    w, a = start.w[0], start.a[0]
    p = w @ unit
    for time in (0.0, 2.0):
        up, down = (a + p) / 2 * np.exp(rate * time), (a - p) / 2 * np.exp(-rate * time)
        rest = w - p[:, None] * unit
        forms = {
            "full": (rest + (up - down)[:, None] * unit, up + down),
            "no-decay": (rest + up[:, None] * unit, up),
            "no-rest": ((up - down)[:, None] * unit, up + down),
        }
        now = path[round(time / 0.1)]
        for form, (closed_w, closed_a) in forms.items():
            off = math.sqrt(((now.w[0] - closed_w) ** 2).sum() + ((now.a[0] - closed_a) ** 2).sum())
            wanted = off / math.sqrt((closed_w**2).sum() + (closed_a**2).sum())
            assert rows.loc[(form, time), "error"] == pytest.approx(wanted, abs=1e-12)
    assert rows.loc[("full", 2.0), "euler_error"] == pytest.approx(0.1 * rate**2)


def test_the_largest_of_each_sign_is_beside_its_own_rate() -> None:
    log = logged((0,), data="hinted")
    points, path = labelled("hinted", Hints()), by_hand(0, "hinted")
    assert log["runs"]["predicted_first_end"].isna().all()
    for row in log["signs"].itertuples():
        a = path[round(row.time / 0.1)].a[0]
        assert row.largest == pytest.approx(max(0, (row.sign * a).max()))
        assert row.growth_rate == pytest.approx(np.linalg.norm(pull(points, SLOPE, row.sign)) / 2)


def test_alignment_is_logged_when_the_loss_falls_below_a_half() -> None:
    rows = logged()["alignment"]
    points = labelled("symmetric", Hints())
    unit = points.y @ points.x / np.linalg.norm(points.y @ points.x)
    path = by_hand(1)
    reached = next(n for n in path if np.logaddexp(0, -points.y * n.outputs(points.x, SLOPE)[0]).mean() < 0.5)
    for moment, neurons in {"start": path[0], "phase I": reached}.items():
        sizes = np.abs(neurons.a) * np.linalg.norm(neurons.w, axis=2)
        wanted = 1 - (np.abs(neurons.a) * np.abs(neurons.w @ unit)).sum() / sizes.sum()
        own = rows[(rows["seed"] == 1) & (rows["moment"] == moment)]
        assert own["misalignment"].item() == pytest.approx(wanted)


def test_runs_that_never_fit_the_points_have_no_late_phase() -> None:
    log = logged((0,), scale=1e-30)
    assert log["runs"][["second_end", "drift", "fall", "growth"]].isna().all(axis=None)
    assert not (log["curves"]["phase"] == "III").any()
    assert log["alignment"].set_index("moment")["misalignment"].isna().tolist() == [False, True]


@pytest.mark.parametrize(("error", "judgement"), [(0.003, "holds"), (0.08, "fails")])
def test_errors_are_means_over_the_times_of_a_seed(error: float, judgement: str) -> None:
    rows = pd.DataFrame({"seed": [0, 0, 1, 1], "error": [error / 2, 3 * error / 2] * 2, "euler_error": error})
    assert judge(analysis.measure_error(rows), Band(low=None, high=0.005)) == judgement
    assert analysis.measure_error_over_euler(rows).value == pytest.approx(1)


@pytest.mark.parametrize(("factor", "judgement"), [(0.997, "holds"), (1.15, "fails"), (-1.0, "fails")])
def test_growth_is_the_slope_of_the_logarithm_over_the_rate(factor: float, judgement: str) -> None:
    time = np.tile(np.linspace(0, 5, 6), 2)
    size = np.exp(0.3 * factor * time)
    rows = pd.DataFrame(
        {"seed": np.repeat([0, 1], 6), "time": time, "norm": size, "largest": 2 * size, "growth_rate": 0.3}
    )
    for measure in (analysis.measure_norm_growth, analysis.measure_sign_growth):
        assert judge(measure(rows), Band(low=0.993, high=1.0)) == judgement
    assert math.isnan(analysis.measure_sign_growth(rows.assign(largest=0.0)).value)


@pytest.mark.parametrize(
    ("worst", "judgement"), [(1e-8, "holds"), (0.0, "holds"), (1e-2, "fails"), (1e9, "fails"), (math.nan, "unclear")]
)
def test_falls_and_drifts_are_those_of_the_worst_run(worst: float, judgement: str) -> None:
    rows = pd.DataFrame({"seed": [0, 0, 1, 1], "fall": [0.0, worst] * 2, "drift": [worst, 0.0] * 2})
    assert judge(analysis.measure_log10_fall(rows), Band(low=None, high=-6)) == judgement
    assert judge(analysis.measure_drift(rows), Band(low=None, high=1e-4)) == judgement


@pytest.mark.parametrize(("worst", "judgement"), [(2e-6, "holds"), (0.3, "fails")])
def test_misalignment_is_that_of_the_worst_run(worst: float, judgement: str) -> None:
    rows = pd.DataFrame({"seed": [0, 0, 1, 1], "misalignment": [0.0, worst] * 2})
    assert judge(analysis.measure_misalignment(rows), Band(low=None, high=1e-5)) == judgement


def test_ends_and_growth_are_ratios() -> None:
    rows = pd.DataFrame({"seed": [0, 1], "first_end": [9.0, 11.0], "predicted_first_end": 10.0, "growth": [1.2, 1.4]})
    assert analysis.measure_first_end(rows).value == pytest.approx(1)
    assert analysis.measure_growth(rows).value == pytest.approx(1.3)


def test_the_figure_shows_four_moments_and_four_curves() -> None:
    recipe = load.load(shipped()["margin/lyu2021-phases"], load.Request("smoke"))
    logs = [logged(), logged(data="hinted")]
    kinds = {kind for of in logs for kind in of}
    log = {kind: pd.concat([of[kind] for of in logs if kind in of]) for kind in kinds}
    figure = analysis.draw_phases(log, recipe)
    assert len(figure.axes) == 8
    assert {line.get_label() for line in figure.axes[0].lines} >= {"$a_k > 0$", "$a_k < 0$", "mean of $yx$"}
