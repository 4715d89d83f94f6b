"""Measures and the figure of the random walk."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from resodectl.families.toy.walk.spec import Params

from resodectl.claims.estimate import Estimate, per_seed
from resodectl.experiment.drawn import Drawn


def measure_speed(rows: pd.DataFrame) -> Estimate:
    return per_seed(rows, lambda of_seed: float((of_seed["end"] / of_seed["length"]).mean()))


def measure_scaled(rows: pd.DataFrame, *, factor: float) -> Estimate:
    return per_seed(rows, lambda of_seed: factor * float((of_seed["end"] / of_seed["length"]).mean()))


def draw_ends(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    figure = Figure()
    axes = figure.subplots()
    axes.plot(log["ends"]["length"], log["ends"]["end"], "o")
    axes.set_title(recipe.title)
    return figure
