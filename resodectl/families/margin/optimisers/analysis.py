"""How even the conditioners become, which margins are reached, and the figures that show it.

Wang, Meng, Chen & Liu 2021 (arXiv 2012.06244), toy study.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.mplot3d.axes3d import Axes3D  # type: ignore[import-untyped]

from resodectl.claims.estimate import Estimate, exact, per_seed
from resodectl.drawing.axes import dots, level
from resodectl.drawing.colours import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import first_seed, in_order, last
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.margin.optimisers.spec import Optimiser, Params

NAMES = {
    "gd": "GD",
    "adagrad": "AdaGrad",
    "scalar-adagrad": "AdaGrad, one step size for all coordinates",
    "rmsprop": "RMSProp",
    "adam": "Adam without momentum",
    "adam-momentum": "Adam",
}
COLOURS = {
    "gd": ORANGE,
    "adagrad": VERMILLION,
    "scalar-adagrad": GREY,
    "rmsprop": BLUE,
    "adam": BLACK,
    "adam-momentum": PURPLE,
}
ROUNDING = 1e-12
COORDINATES = ["h_1", "h_2", "h_3"]
SHOWN_3D = ("adagrad", "rmsprop", "adam")  # a panel each, as in the paper
SMALL = 1.5  # half the width of the panel of points
SHORT = {**NAMES, "scalar-adagrad": "AdaGrad,\none step size", "adam": "Adam w/o\nmomentum"}
VIEW = {"elev": 14, "azim": -72}


def measure_worst_cosine(rows: pd.DataFrame) -> Estimate:
    """The smallest cosine of h^(-1/2) and (1, 1, 1) of the runs of a seed."""
    return per_seed(rows, lambda of_seed: of_seed["cosine"].min(skipna=False))


def measure_mean_cosine(rows: pd.DataFrame) -> Estimate:
    """The mean cosine of h^(-1/2) and (1, 1, 1) of the runs of a seed."""
    return per_seed(rows, lambda of_seed: of_seed["cosine"].mean(skipna=False))


def measure_worst_anisotropy(rows: pd.DataFrame) -> Estimate:
    """The largest |h epsilon^(1/2) - 1| of the coordinates and runs of a seed."""
    return per_seed(rows, lambda of_seed: of_seed["anisotropy"].max(skipna=False))


def measure_least_left(rows: pd.DataFrame) -> Estimate:
    """The smallest ratio of h after the last step to h after the first one, over the coordinates and runs of a seed.

    NaN where the rows are of one step.
    """

    def of_seed(own: pd.DataFrame) -> float:
        if own["step"].nunique() < 2:
            return math.nan
        tables = own.set_index("trial")
        begin, end = (tables[tables["step"] == step][COORDINATES] for step in (own["step"].min(), own["step"].max()))
        return float((end / begin).to_numpy().min())

    return per_seed(rows, of_seed)


def measure_change(rows: pd.DataFrame) -> Estimate:
    """The median |change of w| / lr of the last step, over the runs of a seed."""
    return per_seed(rows, lambda of_seed: float(np.median(of_seed["moved"])))


def measure_mean_ratio(rows: pd.DataFrame, *, to: Optimiser) -> Estimate:
    """The mean margin of one optimiser over that of another, `to`, from the same points and first weights."""
    return per_seed(rows, lambda of_seed: _mean_ratio(of_seed, to))


def measure_difference(rows: pd.DataFrame, *, to: Optimiser) -> Estimate:
    """The relative difference of the mean margins of two optimisers from the same points and first weights."""
    return per_seed(rows, lambda of_seed: abs(_mean_ratio(of_seed, to) - 1))


def measure_share_below(rows: pd.DataFrame, *, to: Optimiser) -> Estimate:
    """The share of runs in which the margin of one optimiser is below that of another, `to`."""

    def of_seed(own: pd.DataFrame) -> float:
        table = own.pivot(index="trial", columns="optimiser", values="margin")
        return _of_the_other(table, to, lambda other, margins: (other < margins).mean())

    return per_seed(rows, of_seed)


def measure_mean_gap(rows: pd.DataFrame) -> Estimate:
    """The mean over the runs of a seed of margin / largest margin, both with the same sign of v."""
    return per_seed(rows, lambda of_seed: (of_seed["margin"] / of_seed["best"]).mean(skipna=False))


def measure_largest_ratio(rows: pd.DataFrame) -> Estimate:
    """The largest margin of all runs of all optimisers in units of the largest one of the networks compared with."""
    return exact(rows["ratio"].max(skipna=False), ROUNDING)


def _mean_ratio(rows: pd.DataFrame, to: Optimiser) -> float:
    return _of_the_other(rows.groupby("optimiser")["margin"].mean(), to, lambda other, mean: other / mean)


def _of_the_other(values: Any, to: Optimiser, compare: Callable[[Any, Any], float]) -> float:
    """A comparison of the one of two optimisers that is not `to` with `to`; NaN where there are not two."""
    others = set(values.keys()) - {to}
    return float(compare(values[others.pop()], values[to])) if len(others) == 1 and to in values else math.nan


def draw_directions(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """The points, and h^(-1/2) of every run of the first seed as a direction in space, a panel for each optimiser."""
    rows = first_seed(last(log["conditioners"], "step"))
    figure = Figure(figsize=(14.2, 4.4), layout="constrained")
    _points(figure.add_subplot(1, 4, 1), first_seed(log["points"]))
    for place, (optimiser, own) in enumerate(in_order(rows, "optimiser", SHOWN_3D), start=2):
        space = figure.add_subplot(1, 4, place, projection="3d")
        _directions(space, own, optimiser)
        space.set_title(NAMES[optimiser], loc="left")
    return finish(figure, recipe)


def _points(ax: Axes, rows: pd.DataFrame) -> None:
    for label, colour in ((1, VERMILLION), (-1, GREEN)):
        own = rows[rows["label"] == label]
        zero = np.zeros(len(own))
        ax.quiver(
            zero, zero, own["x_1"], own["x_2"], angles="xy", scale_units="xy", scale=1, color=colour, width=0.004,
            label=f"$y={label}$",
        )  # fmt: skip
    ax.set(xlim=(-SMALL, SMALL), ylim=(-SMALL, SMALL), aspect="equal", xlabel="$x_1$", ylabel="$x_2$", title="points")


def _directions(space: Axes3D, rows: pd.DataFrame, optimiser: str) -> None:
    roots = rows[COORDINATES].to_numpy() ** -0.5
    unit = roots / np.linalg.norm(roots, axis=1, keepdims=True)
    zero = np.zeros(len(unit))
    space.plot([0, 1], [0, 1], [0, 1], "--", color=GREEN, linewidth=1.6, label="equal in all coordinates")
    space.quiver(
        zero, zero, zero, *unit.T, color=COLOURS[optimiser], linewidth=0.8, arrow_length_ratio=0.06,
        label=f"{NAMES[optimiser]}, a run each",
    )  # fmt: skip
    space.set(xlim=(0, 1), ylim=(0, 1), zlim=(0, 1), xlabel="$w_1$", ylabel="$w_2$", zlabel="$v$")
    for axis in (space.xaxis, space.yaxis, space.zaxis):
        axis.set_ticks([0, 0.5, 1])
    space.zaxis.set_rotate_label(False)
    space.view_init(**VIEW)
    space.set_box_aspect(None, zoom=0.88)


def draw_margins(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Margins of the runs of the first seed, accuracy against the step, and the certified gap of all seeds."""
    rows = log["runs"]
    figure, axes = panels(2, 2, panel=(5.2, 3.2))
    ended = rows[rows["at"] == "steps"]
    _margins(axes[0], first_seed(last(ended, "step")), recipe)
    axes[0].set_title(f"after {ended['step'].max()} steps")
    _margins(axes[1], first_seed(rows[rows["at"] == "loss"]), recipe)
    axes[1].set_title(f"at $\\log L = {recipe.params.level:g}$")
    _accuracy(axes[2], log["curves"], recipe)
    _gaps(axes[3], last(ended, "step"), recipe)
    return finish(figure, recipe)


def _margins(ax: Axes, rows: pd.DataFrame, recipe: Drawn[Params]) -> None:
    """Margins against the runs, in the order of their first weights."""
    for optimiser, own in in_order(rows, "optimiser", recipe.params.optimisers):
        ordered = own.sort_values("trial")
        ax.plot(np.arange(len(ordered)), ordered["margin"], _line(optimiser), color=COLOURS[optimiser],
                label=NAMES[optimiser], linewidth=1.2)  # fmt: skip
    ax.set(xlabel="run", ylabel="normalised margin")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _line(optimiser: str) -> str:
    """Dashed where another curve is beneath, dotted where the paper has none."""
    return {"adam": "--", "scalar-adagrad": ":"}.get(optimiser, "-")


def _accuracy(ax: Axes, rows: pd.DataFrame, recipe: Drawn[Params]) -> None:
    means = rows.groupby(["optimiser", "step"])["accuracy"].mean().reset_index()
    for optimiser, own in in_order(means, "optimiser", recipe.params.optimisers):
        ax.plot(own["step"], 100 * own["accuracy"], _line(optimiser), color=COLOURS[optimiser], label=NAMES[optimiser])
    ax.set(xlabel="step", ylabel="training accuracy (%)", title="mean over runs and sets of points")


def _gaps(ax: Axes, rows: pd.DataFrame, recipe: Drawn[Params]) -> None:
    """Margins in units of the largest possible ones."""
    shown = in_order(rows.assign(gap=rows["margin"] / rows["best"]), "optimiser", recipe.params.optimisers)
    for place, (optimiser, own) in enumerate(shown):
        dots(ax, place, own["gap"], colour=COLOURS[optimiser], width=0.7)
        ax.plot([place - 0.38, place + 0.38], [own["gap"].mean()] * 2, color=BLACK, linewidth=1.4)
    level(ax, 1.0, "largest margin with the same sign of $v$", BLACK)
    ax.plot([], [], color=BLACK, linewidth=1.4, label="mean of the dots")
    ax.set_xticks(range(len(shown)), [SHORT[optimiser] for optimiser, _ in shown])
    ax.set(ylabel="margin / largest margin", title="all runs of all sets of points")
