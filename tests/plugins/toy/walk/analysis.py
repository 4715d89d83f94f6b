"""Measures and the figure of the random walk."""

from collections.abc import Mapping
from typing import Literal

import pandas as pd
from matplotlib.figure import Figure
from resodectl.families.toy.walk.spec import Params

from resodectl.claims.estimate import Estimate, per_seed
from resodectl.experiment.drawn import Drawn


def measure_speed(rows: pd.DataFrame) -> Estimate:
    """Where the walk ends over its length, in the mean over the lengths."""
    return per_seed(rows, lambda of_seed: float((of_seed["end"] / of_seed["length"]).mean()))


def measure_scaled(rows: pd.DataFrame, *, factor: float) -> Estimate:
    """The speed, times a factor."""
    return per_seed(rows, lambda of_seed: factor * float((of_seed["end"] / of_seed["length"]).mean()))


Half = Literal["first", "second"]


def measure_place(
    rows: pd.DataFrame, *, half: Half, powers: tuple[int, ...] = (1,), shift: float | None = None
) -> Estimate:
    """The mean of the sum of powers of where the walk is after one half of it, less a shift."""
    of_half = rows[rows["half"] == half]
    return per_seed(of_half, lambda own: sum(float(own["place"].mean()) ** power for power in powers) - (shift or 0.0))


def draw_ends(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    figure = Figure()
    axes = figure.subplots()
    axes.plot(log["ends"]["length"], log["ends"]["end"], "o")
    axes.set_title(recipe.title)
    return figure
