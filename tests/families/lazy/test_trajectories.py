"""lazy/trajectories: the laws of the flow, the lazy limit step by step, the measures on known logs, the figure."""

import dataclasses
import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.context import Context
from resodectl.families.lazy.students import Sizes, Student, descend
from resodectl.families.lazy.trajectories import analysis, simulation, spec
from resodectl.families.lazy.trajectories.planar import descend_in_plane
from resodectl.recipe import load
from tests.simulated import simulated

SEEDS = (0, 3)


def point(**changes: object) -> spec.Point:
    values = {"init_scales": (0.3, 2.0), "trained": ("both", "hidden"), "steps": 400, "records": 5, "dtype": "float64"}
    return spec.Point(**(values | changes))


def logged(**changes: object) -> dict[str, pd.DataFrame]:
    return simulated("lazy/trajectories", point(**changes), SEEDS)


def drawn(of: spec.Point) -> simulation.Runs:
    return simulation.draw(of, Context(SEEDS, torch.device("cpu"), torch.float64))


def test_descent_in_the_plane_is_that_of_students() -> None:
    runs = drawn(point())
    one = torch.ones_like(runs.trains)
    by = Sizes(0.1 * one, 0.05 * runs.trains)
    whole = descend(runs.first, itertools.repeat(runs.data, 60), by, one).student
    planar = descend_in_plane(descend_in_plane(runs.first, runs.data, by, 40), runs.data, by, 20)
    for ours, theirs in zip(planar, whole, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-13)
    assert torch.equal(planar.output[2], runs.first.output[2])  # where the hidden layer alone is trained


def test_the_first_step_is_that_of_the_linearisation_and_very_large_weights_stay_there() -> None:
    rows = logged()["runs"].query("step == 1")
    assert len(rows) == 8
    assert rows["lazy_distance"].max() < 1e-10
    assert rows["movement"].to_numpy() == pytest.approx(rows["lazy_movement"].to_numpy(), rel=1e-10)
    large = logged(init_scales=(100.0,), lr=1e-6)["runs"].query("step > 0")
    assert large["lazy_distance"].max() < 1e-2
    assert large["train_loss"].min() < 0.5 * large["train_loss"].max()


def test_lazy_weights_are_those_of_descent_on_the_linearised_network() -> None:
    of = point(steps=30)
    runs = drawn(of)
    lazy = simulation.lazy_weights(of, runs, [0, 30])
    for run in range(8):
        first = runs.first.hidden[run], runs.first.output[run]
        inputs, targets = runs.data.inputs[run // 4], runs.data.targets[run // 4]

        def values(hidden: torch.Tensor, output: torch.Tensor, inputs: torch.Tensor = inputs) -> torch.Tensor:
            return Student(hidden[None], output[None]).values(inputs[None])[0]

        rows = [part.flatten(1) for part in torch.func.jacrev(values, (0, 1))(*first)]
        jacobian = torch.cat([rows[0], rows[1] * runs.trains[run]], 1)
        moved = torch.zeros(jacobian.shape[1], dtype=torch.float64)
        for _ in range(30):
            moved = moved - of.lr * jacobian.T @ (jacobian @ moved - targets) / 15
        got = torch.cat([lazy.hidden[1, run].flatten(), lazy.output[1, run]])
        torch.testing.assert_close(got, moved, rtol=1e-9, atol=1e-12)
        assert lazy.hidden[0].abs().max() == 0


def test_the_start_is_a_doubled_draw_on_the_circle_times_tau() -> None:
    first = drawn(point()).first
    taus = torch.tensor([0.3, 2.0, 0.3, 2.0] * 2, dtype=torch.float64)
    torch.testing.assert_close(first.hidden.norm(dim=2), taus[:, None].expand(8, 16))
    assert (first.output[:, :8] >= 0).all()
    assert (first.output[:, :8] <= taus[:, None]).all()
    assert torch.equal(first.output[:, 8:], -first.output[:, :8])
    assert torch.equal(first.hidden[1], first.hidden[3])


def test_units_keep_their_balance_if_both_layers_are_trained_and_lose_it_if_one_is() -> None:
    rows = logged(steps=1000)["runs"].query("step == 1000").set_index(["trained", "init_scale", "seed"])["drift"]
    assert rows["both"].max() < 1.1
    assert rows["hidden"].min() > 5
    finer = logged(steps=1000, lr=1e-3)["runs"].query("step == 1000 and trained == 'both'")
    assert finer["drift"].max() < 1.02  # the drift itself falls like lr: its bound is lr times the loss that is lost


def test_directions_count_far_groups_of_equal_mass_and_signs_apart() -> None:
    def student(angles: list[float], outputs: list[float]) -> Student:
        turned = torch.tensor([[math.cos(a), math.sin(a)] for a in np.radians(angles)], dtype=torch.float64)
        return Student(turned[None], torch.tensor([outputs], dtype=torch.float64))

    assert simulation.directions(student([0, 90, 180], [1, 1, 1])).item() == pytest.approx(3)
    assert simulation.directions(student([0, 4, 180], [0.5, 0.5, 1])).item() == pytest.approx(2)
    assert simulation.directions(student([0, 6, 180], [0.5, 0.5, 1])).item() == pytest.approx(1 / (2 / 16 + 1 / 4))
    assert simulation.directions(student([0, 0], [1, -1])).item() == pytest.approx(2)
    assert simulation.directions(student([0, 0], [1, 1])).item() == pytest.approx(1)
    teacher = student([0, 90], [1, -1])
    assert simulation.alignment(student([60], [5]), teacher).item() == pytest.approx(0.5)
    assert simulation.alignment(student([60], [-5]), teacher).item() == pytest.approx(math.cos(math.radians(30)))
    assert simulation.alignment(student([0, 90], [3, 1]), teacher).item() == pytest.approx(0.75)


def test_paths_are_places_of_units_and_teachers_are_on_the_circle() -> None:
    log = logged()
    first = drawn(point()).first
    start = log["paths"].query("step == 0 and init_scale == 2.0 and trained == 'both' and seed == 3")
    place = (first.hidden[5] * first.output[5].abs().unsqueeze(1)).numpy()
    np.testing.assert_allclose(start[["x_1", "x_2"]], place)
    assert list(start["positive"]) == [True] * 8 + [False] * 8
    teachers = log["teachers"]
    assert list(teachers["positive"]) == [True, False, True] * 2
    assert np.hypot(teachers["x_1"], teachers["x_2"]).to_numpy() == pytest.approx(1)


def test_an_odd_number_of_units_is_refused() -> None:
    with pytest.raises(ValidationError, match="give an even number"):
        spec.Params(init_scales=(1.0,), steps=100, seeds=1, width=7)


def summaries(**columns: list[float]) -> pd.DataFrame:
    """Rows of two seeds at three steps each."""
    return pd.DataFrame({"seed": [0, 0, 0, 1, 1, 1], "init_scale": 0.1, "step": [0, 10, 100] * 2, **columns})


def test_quantities_are_read_at_the_end_and_at_their_largest() -> None:
    rows = summaries(directions=[9.0, 7.0, 3.0, 9.0, 6.0, 5.0])
    assert analysis.measure_at_end(rows, quantity="directions").value == 4
    assert analysis.measure_largest(rows, quantity="directions").value == 9
    assert analysis.measure_largest(rows, quantity="directions", since=0.1).value == 6.5
    assert analysis.measure_largest(rows, quantity="directions", since=0.2).value == 4
    assert analysis.measure_log10_largest(rows, quantity="directions").value == pytest.approx(math.log10(9))
    diverged = summaries(drift=[0.0, np.nan, 0.1, 0.0, 0.1, 0.1])
    assert math.isnan(analysis.measure_largest(diverged, quantity="drift").value)


def test_the_loss_left_is_that_of_the_worst_init_scale() -> None:
    small = summaries(train_loss=[1.0, 0.5, 0.01, 2.0, 0.5, 0.02])
    large = summaries(train_loss=[1.0, 0.5, 0.1, 2.0, 0.5, 0.002]).assign(init_scale=2.0)
    estimate = analysis.measure_log10_loss_left(pd.concat([small, large]))
    assert estimate.value == pytest.approx(-1.5)
    assert analysis.measure_log10_loss_left(small).value == pytest.approx(-2)


def shipped_recipe(profile: str) -> load.Recipe:
    return load.load(shipped()["lazy/chizat2019-trajectories"], load.Request(profile))


@pytest.mark.parametrize(
    ("index", "quantity", "inside", "outside"),
    [(0, "directions", 4.0, 10.0), (1, "alignment", 0.8, 0.3), (2, "movement", 0.06, 3.0), (2, "movement", 0.06, 0.0),
     (3, "lazy_distance", 0.1, 0.5), (4, "drift", 0.5, 2.0)],
)  # fmt: skip
def test_the_shipped_bands_tell_known_logs_apart(index: int, quantity: str, inside: float, outside: float) -> None:
    claim = shipped_recipe("laptop").claims[index]
    for value, verdict in ((inside, "holds"), (outside, "fails")):
        rows = summaries(**{quantity: [value * 0.999, value, value * 1.001] * 2})
        measured = getattr(analysis, f"measure_{claim.claim}")(rows, **claim.options)
        assert judge(measured, claim.band("laptop")) == verdict


def test_the_figure_shows_a_panel_of_paths_for_each_init_scale() -> None:
    log = logged()
    recipe = shipped_recipe("smoke")
    params = recipe.params.model_copy(update={"init_scales": (0.3, 2.0)})
    figure = analysis.draw_trajectories(log, dataclasses.replace(recipe, params=params))
    paths = figure.axes[0]
    assert len([line for line in paths.lines if line.get_marker() == "o" and len(line.get_xdata()) == 1]) == 16
    assert [ax.get_visible() for ax in figure.axes] == [True] * 4


@pytest.mark.parametrize("scales", [[0.3], [0.1, 0.3, 1.0, 2.0, 3.0]])
def test_the_figure_shows_every_init_scale_however_many_there_are(scales: list[float]) -> None:
    log, recipe = logged(), shipped_recipe("smoke")
    log = {name: pd.concat([of[of["init_scale"] == 2.0].assign(init_scale=tau) for tau in scales])
           if name != "teachers" else of for name, of in log.items()}  # fmt: skip
    params = recipe.params.model_copy(update={"init_scales": tuple(scales)})
    figure = analysis.draw_trajectories(log, dataclasses.replace(recipe, params=params))
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert len(shown) == len(scales) + 2
    assert {f"$\\tau = {tau:g}$" for tau in scales} <= {line.get_label() for line in shown[-2].lines}


def test_the_figure_of_units_that_have_diverged_keeps_finite_axes() -> None:
    log, recipe = logged(), shipped_recipe("smoke")
    paths = log["paths"]
    gone = paths.assign(x_1=paths["x_1"].where(paths["step"] == 0, np.inf))
    params = recipe.params.model_copy(update={"init_scales": (0.3, 2.0)})
    figure = analysis.draw_trajectories(log | {"paths": gone}, dataclasses.replace(recipe, params=params))
    assert all(np.isfinite(ax.get_xlim()).all() for ax in figure.axes[:2])
