"""eos/surface: iterates against plain loops and exact invariants, stableness against differences, the measures."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.families.eos.surface import analysis, spec
from resodectl.families.eos.surface.simulation import largest_eigenvalue
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

RUNS = {"square-root": (0.5, (14.7, 3.0), 11), "normalised": (5.0, (14.7, -3.0), 9)}


def logged(algorithm: str, **changes: object) -> pd.DataFrame:
    lr, start, steps = RUNS[algorithm]
    values = {"algorithm": algorithm, "lr": lr, "start": start, "steps": steps, "dtype": "float64"}
    return simulated("eos/surface", spec.Point(**(values | changes)))["iterates"]


def slope(algorithm: str, x: float, y: float) -> np.ndarray:
    """Of what is descended on: L, or sqrt(L)."""
    if algorithm == "normalised":
        return np.array([2 * x * y * y, 2 * (1 + x * x) * y])
    return np.array([x * abs(y) / math.sqrt(1 + x * x), math.sqrt(1 + x * x) * math.copysign(1, y)])


@pytest.mark.parametrize("algorithm", RUNS)
def test_iterates_are_those_of_a_plain_loop(algorithm: str) -> None:
    lr, point, _ = RUNS[algorithm]
    for _, row in logged(algorithm).iterrows():
        assert (row["x"], row["y"]) == pytest.approx(tuple(point), rel=1e-12)
        assert row["root_loss"] == pytest.approx(math.sqrt(1 + row["x"] ** 2) * abs(row["y"]))
        step = slope(algorithm, *point)
        point = np.array(point) - lr * step / (np.linalg.norm(step) if algorithm == "normalised" else 1)


def test_every_normalised_step_has_the_length_of_the_rate() -> None:
    rows = logged("normalised")
    assert np.hypot(rows["x"].diff()[1:], rows["y"].diff()[1:]).to_numpy() == pytest.approx(5.0)


def test_across_the_valley_descent_on_the_root_moves_by_the_rate_times_the_root_of_half_the_sharpness() -> None:
    rows = logged("square-root")
    across = rows["y"].abs().to_numpy()
    expected = 0.5 * np.sqrt(rows["valley_sharpness"].to_numpy()[:-1] / 2)
    assert across[:-1] + across[1:] == pytest.approx(expected)


@pytest.mark.parametrize("algorithm", RUNS)
def test_stableness_is_the_step_times_the_curvature_by_differences(algorithm: str) -> None:
    lr, step = RUNS[algorithm][0], 1e-6
    for _, row in logged(algorithm).iterrows():
        x, y = row["x"], row["y"]
        columns = [
            (slope(algorithm, x + dx, y + dy) - slope(algorithm, x - dx, y - dy)) / (2 * step)
            for dx, dy in ((step, 0), (0, step))
        ]
        scale = np.linalg.norm(slope(algorithm, x, y)) if algorithm == "normalised" else 1
        assert row["stableness"] == pytest.approx(lr / scale * np.linalg.eigvalsh(columns)[-1], rel=1e-6)


def test_a_path_that_hits_the_minimisers_is_not_a_number_from_then_on() -> None:
    """From (0, y) with a step of y normalised descent stops on the minimiser itself, where it divides by zero."""
    rows = logged("normalised", lr=3.0, start=(0.0, 3.0), steps=3)
    assert rows["y"].isna().tolist() == [False, False, True, True]
    assert rows["stableness"].isna().tolist()[2:] == [True, True]
    assert largest_eigenvalue(torch.tensor([[[1.0, 0.0], [0.0, math.inf]]])).isnan().all()


def test_a_start_on_the_minimisers_is_refused() -> None:
    with pytest.raises(ValidationError, match="divide by zero"):
        spec.Run(algorithm="normalised", lr=1.0, start=(2.0, 0.0), steps=1)


def rows(y: list[float], sharpness: list[float]) -> pd.DataFrame:
    own = {"algorithm": "normalised", "lr": 5.0}
    return pd.DataFrame({**own, "step": range(len(y)), "x": 1.5, "y": y, "valley_sharpness": sharpness})


def test_a_coordinate_is_that_of_the_one_iterate() -> None:
    one = rows([2.0], [1.0])
    assert judge(analysis.measure_coordinate(one, axis="y"), Band(low=1.9, high=2.1)) == "holds"
    assert judge(analysis.measure_coordinate(one, axis="x"), Band(low=1.9, high=2.1)) == "fails"


@pytest.mark.parametrize(("last", "judgement"), [(5.0, "holds"), (50.0, "fails")])
def test_the_fall_of_the_sharpness_is_from_first_to_last(last: float, judgement: str) -> None:
    found = analysis.measure_sharpness_fall(rows([1, 1, 1], [100.0, 1e9, last]))
    assert found.value == pytest.approx(math.log10(last / 100))
    assert judge(found, Band(low=None, high=-1)) == judgement


@pytest.mark.parametrize(("y", "share"), [([1, -1, 2], 1.0), ([1, 2, -1], 0.5), ([1, 2, 3], 0.0)])
def test_crossings_are_changes_of_side(y: list[float], share: float) -> None:
    found = analysis.measure_crossings(rows(y, [1.0] * 3))
    assert found.value == share
    assert judge(found, Band(low=0.999, high=None)) == ("holds" if share == 1 else "fails")


def test_the_figure_shows_both_descents_or_one() -> None:
    recipe = load.load(shipped()["eos/arora2022-surface"])
    both = pd.concat([logged(name) for name in RUNS])
    assert sum(ax.name == "3d" for ax in analysis.draw_surface({"iterates": both}, recipe).axes) == 2
    one = both[both["algorithm"] == "normalised"]
    figure = analysis.draw_surface({"iterates": one}, recipe)
    (space,) = (ax for ax in figure.axes if ax.name == "3d")
    assert (space.elev, space.azim, space.get_xlim(), space.get_ylim()) == (20, 200, (-6, 16), (-6, 6))


def test_runs_that_the_log_could_not_tell_apart_are_refused() -> None:
    run = {"algorithm": "normalised", "lr": 5.0, "start": (14.7, -3.0), "steps": 9}
    with pytest.raises(ValidationError, match="runs: an algorithm is given twice with one learning rate"):
        spec.Params(runs=(run, run | {"start": (1.0, 1.0)}))


def test_of_several_descents_the_worst_is_measured() -> None:
    both = pd.concat([rows([1, -1], [100.0, 5.0]), rows([1, 2], [100.0, 50.0]).assign(lr=4.0)])
    assert analysis.measure_sharpness_fall(both).value == pytest.approx(math.log10(0.5))
    assert analysis.measure_crossings(both).value == 0
    assert math.isnan(analysis.measure_sharpness_fall(rows([1, -1], [100.0, math.nan])).value)


def test_the_figure_has_a_panel_for_each_descent_and_room_for_its_path() -> None:
    """Two rates of one algorithm, one of which leaves the paper's range, and a path that ends on the minimisers."""
    runs = [
        logged("square-root"),
        logged("square-root", lr=0.25, start=(30.0, -9.0), steps=4),
        logged("normalised", lr=3.0, start=(0.0, 3.0), steps=3),
        logged("normalised", lr=0.1, steps=5000),
    ]
    recipe = load.load(shipped()["eos/arora2022-surface"])
    figure = analysis.draw_surface({"iterates": pd.concat(runs)}, recipe)
    figure.canvas.draw()
    spaces = [ax for ax in figure.axes if ax.name == "3d"]
    assert len(spaces) == 4
    assert [len(space.patches) for space in spaces] == [11, 4, 1, 0]  # arrows to iterates that can be seen
    assert (spaces[1].get_xlim()[1], spaces[1].get_ylim()[0]) == (30, -9)


def test_the_surface_hides_what_is_behind_its_near_wall_and_nothing_of_its_inside() -> None:
    """The eye is at x < 0, a little to y < 0, above: a point low down beyond a corner of the near end is hidden."""
    ranges = {"x": (-6.0, 16.0), "y": (-6.0, 6.0)}
    y = 1e-3
    on_the_valley = np.array([[-5.9, y, np.sqrt(1 + 5.9**2) * y], [14.7, 3.0, 80.0]])
    assert not analysis.hidden(on_the_valley, ranges).any()
    below = np.array([[0.0, 0.0, -5.0], [5.0, -3.0, 2.0]])
    assert analysis.hidden(below, ranges).all()
