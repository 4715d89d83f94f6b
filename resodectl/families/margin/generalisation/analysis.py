"""How the test error depends on samples and dimension, both layers beside the output layer, and the figures of it.

Chizat & Bach 2020 (arXiv 2002.04486).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, over_units
from resodectl.drawing.axes import depth_axis, note
from resodectl.drawing.colours import BLACK, BLUE, ORANGE
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import in_order, last
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.margin.generalisation.spec import Params

TITLES = {
    "drawn": "labels drawn for each seed",
    "product": "one labelling: a product of two signs",
    "norm": "labels by the norm of all coordinates",
}


class Curve(NamedTuple):
    """How a method is drawn."""

    colour: str
    line: str
    marker: str
    label: str


CURVES = {
    "both": Curve(BLUE, "-", "o", "both layers"),
    "output": Curve(ORANGE, "-", "s", "output layer, infinite width: exact"),
    "output-ascent": Curve(BLACK, "", "x", "output layer, infinite width: by ascent"),
}


def measure_error_ratio(rows: pd.DataFrame) -> Estimate:
    """The error of both layers over that of the exact output layer, mean over seeds."""
    of = _by_method(rows, "error")
    return over_units(of["both"] / of["output"])


def measure_error_gap(rows: pd.DataFrame) -> Estimate:
    """The error of the exact output layer minus that of both layers, mean over seeds."""
    of = _by_method(rows, "error")
    return over_units(of["output"] - of["both"])


def measure_error_left(rows: pd.DataFrame) -> Estimate:
    """The error with the most samples over that with the fewest, mean over seeds."""
    of = rows.pivot(index="seed", columns="sample_size", values="error")
    return over_units(of[of.columns.max()] / of[of.columns.min()])


def measure_margin_ratio(rows: pd.DataFrame) -> Estimate:
    """The margin that ascent of the output layer has reached over the largest one, mean over seeds."""
    of = _by_method(rows, "margin")
    return over_units(of["output-ascent"] / of["output"])


def measure_error_difference(rows: pd.DataFrame) -> Estimate:
    """The distance of the error of the ascended output layer from that of the exact one, mean over seeds."""
    of = _by_method(rows, "error")
    return over_units((of["output-ascent"] - of["output"]).abs())


def _by_method(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """The values of each method, a row a seed; NaN where a method lacks a seed.

    Raises:
        ValueError: a method has several rows of a seed; the rows are of several settings or steps.
    """
    table = rows.pivot(index="seed", columns="method", values=column)
    return table.reindex(columns=list(CURVES))


def draw_samples(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """The test error against the number of samples, a panel for each labelling."""
    return _figure(log["errors"], recipe, "sample_size", recipe.params.sample_sizes)


def draw_dimensions(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """The test error against the number of coordinates, a panel for each labelling."""
    return _figure(log["errors"], recipe, "dim", recipe.params.dims)


def _figure(rows: pd.DataFrame, recipe: Drawn[Params], x: str, values: Sequence[int]) -> Figure:
    groups = in_order(rows, "labelling", recipe.params.labellings)
    figure, axes = panels(1, len(groups), panel=(6.2 if len(groups) == 1 else 4.4, 3.6), sharey=True)
    for ax, (labelling, of) in zip(axes, groups, strict=True):
        for method, own in in_order(of, "method", CURVES):
            _curve(ax, last(own, "step"), x, CURVES[method])
        if len(groups) == 1:  # its title will be that of the recipe
            note(ax, TITLES[labelling], "upper left" if x == "dim" else "upper right")
        ax.set_title(TITLES[labelling])
        if x == "sample_size":
            depth_axis(ax, values, "number of training samples $n$")
        else:
            ax.set_xticks(sorted(values))
            ax.set_xlabel("number of coordinates $d$, one of them constant")
    axes[0].set_ylim(bottom=0)
    axes[0].set_ylabel("test error")
    return finish(figure, recipe)


def _curve(ax: Axes, rows: pd.DataFrame, x: str, curve: Curve) -> None:
    """The mean over seeds as a thick line, and each seed as a thin dashed one."""
    of = rows.pivot(index=x, columns="seed", values="error").sort_index()
    if curve.line:
        for position, seed in enumerate(of):
            label = None if position else f"{curve.label}, one seed"
            ax.plot(of.index, of[seed], "--", color=curve.colour, linewidth=0.7, alpha=0.45, label=label, zorder=2)
    label = f"{curve.label}, mean"
    ax.plot(of.index, of.mean(axis=1), curve.line, marker=curve.marker, color=curve.colour, linewidth=2.2, label=label,
            markersize=7 if not curve.line else 5, zorder=4)  # fmt: skip
