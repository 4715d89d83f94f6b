"""Each drawing of scaling/weight-scaling on settings away from the shipped ones: laid out, saved, and what it shows."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from resodectl.drawing.style import style
from resodectl.families.scaling.weight_scaling import analysis, spec
from resodectl.recipe import load
from tests.simulated import simulated

RECIPES = {"exponents": "tanh-exponents", "roughness": "relu-roughness"}
DRAWINGS = ("exponents", "roughness", "decomposition", "denoising")
SETTINGS = {
    "one depth of few layers": ("depths=[3]", "seeds=1", "bins=2"),
    "five depths, more bins than layers": ("depths=[3, 4, 5, 6, 8]", "bins=64"),
    "no tanh": ("networks=[{activation: relu, delta: layers, leak: 0.5}]", "depths=[3, 4]"),
    "no relu": ("networks=[{activation: tanh, delta: fixed}]", "depths=[3, 4]"),
    "two leaks": (
        "networks=[{activation: relu, delta: shared}, {activation: relu, delta: shared, leak: 0.5}]",
        "depths=[3, 4]",
    ),
    "fixed deltas": ("networks=[{activation: relu, delta: fixed}]", "depths=[3, 4]"),
}


def drawn(drawing: str, *sets: str) -> Figure:
    path = Path(__file__).parents[3] / f"recipes/scaling/cohen2021-{RECIPES.get(drawing, drawing)}.yaml"
    recipe = load.load(path, load.Request(profile="smoke", sets=sets))
    logs = [
        simulated("scaling/weight-scaling", of, tuple(range(recipe.params.seeds))) for of in spec.cells(recipe.params)
    ]
    log = {kind: pd.concat([own[kind] for own in logs], ignore_index=True) for kind in spec.LOG}
    with style():
        figure = getattr(analysis, f"draw_{drawing}")(log, recipe)
        figure.savefig(io.BytesIO(), format="png")
    return figure


@pytest.mark.parametrize("sets", SETTINGS.values(), ids=list(SETTINGS))
@pytest.mark.parametrize("drawing", DRAWINGS)
def test_every_drawing_works_away_from_the_shipped_settings(drawing: str, sets: tuple[str, ...]) -> None:
    assert drawn(drawing, *sets).axes


def test_the_sums_return_to_zero_where_a_bin_ends() -> None:
    figure = drawn("decomposition", "depths=[8, 16]", "bins=4")
    for noise in figure.axes[4:]:
        for line in noise.lines:
            place, sums = (np.asarray(part, dtype=float) for part in line.get_data())
            ends = np.isclose((4 * place) % 1, 0) | np.isclose((4 * place) % 1, 1)
            assert ends.sum() == 4
            assert np.abs(sums[ends]).max() < 1e-6
            assert np.abs(sums).max() > 1e-4


def test_means_over_bins_are_drawn_from_two_layers_a_bin_on() -> None:
    figure = drawn("denoising", "depths=[4, 8, 16]", "bins=4")
    binned = next(line for line in figure.axes[0].lines if "bins" in str(line.get_label()))
    assert list(binned.get_xdata()) == [8.0, 16.0]  # type: ignore[arg-type]
