"""How far hidden units move and on how many directions they gather, and the figure of their paths.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), Figure 1a and b.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from resodectl.claims.estimate import Estimate, per_seed
from resodectl.drawing.axes import log_axis, spread
from resodectl.drawing.colours import BLACK, BLUE, GREEN, GREY, VERMILLION, sequence
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import first_seed, in_order, last
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.lazy.trajectories.spec import Params

Quantity = Literal["movement", "lazy_distance", "directions", "alignment", "drift"]
FAR = 1e6  # units farther out have diverged, and are left outside the picture
SIGNS = ((True, VERMILLION, "$a_j > 0$ in the end"), (False, BLUE, "$a_j < 0$ in the end"))


def measure_at_end(rows: pd.DataFrame, *, quantity: Quantity) -> Estimate:
    """A quantity at the last of the rows' steps, mean over seeds."""
    return per_seed(last(rows, "step"), lambda own: float(own[quantity].mean()))


def measure_largest(rows: pd.DataFrame, *, quantity: Quantity, since: float = 0.0) -> Estimate:
    """The largest value of a quantity in the rows of a seed, mean over seeds; NaN where a value is.

    With `since`, only steps from that share of the last one on count.
    """
    later = rows[rows["step"] >= since * rows["step"].max()]
    return per_seed(later, lambda own: float(np.asarray(own[quantity]).max()))


def measure_log10_largest(rows: pd.DataFrame, *, quantity: Quantity) -> Estimate:
    """log10 of the largest value of a quantity in the rows of a seed, mean over seeds."""
    return per_seed(rows, lambda own: float(np.log10(np.asarray(own[quantity]).max())))


def measure_log10_loss_left(rows: pd.DataFrame) -> Estimate:
    """log10 of the training loss at the last of the rows' steps over that at the first, largest of the init scales."""

    def of_seed(own: pd.DataFrame) -> float:
        losses = own.pivot(index="step", columns="init_scale", values="train_loss").sort_index()
        return float(np.asarray(np.log10(losses.iloc[-1] / losses.iloc[0])).max())

    return per_seed(rows, of_seed)


def draw_trajectories(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """The paths of one network for each init scale, both layers trained; directions and movement in time."""
    scales = recipe.params.init_scales
    columns = max(2, len(scales))
    figure, axes = panels(2, columns, panel=(4.3, 3.9))
    paths, runs = (of[of["trained"] == "both"] for of in (log["paths"], log["runs"]))
    teachers = first_seed(log["teachers"])
    for ax, (tau, own) in zip(axes, in_order(first_seed(paths), "init_scale", scales), strict=False):
        _paths(ax, own, teachers)
        ax.set_title(rf"$\tau = {tau:g}$")
    below = axes[columns:]
    later = runs[runs["step"] > 0]
    named = (GREEN, BLACK, BLUE, VERMILLION)
    colours = named if len(scales) <= len(named) else sequence(len(scales))
    for (tau, own), colour in zip(in_order(later, "init_scale", scales), colours, strict=False):
        label = rf"$\tau = {tau:g}$"
        spread(below[0], own, "step", "directions", colour=colour, label=label, marker="", centre="mean")
        spread(below[1], own, "step", "movement", colour=colour, marker="", centre="mean")
        lazy = own.groupby("step")["lazy_movement"].mean()
        below[1].plot(lazy.index, lazy, "--", color=colour, linewidth=1.1)
    below[1].plot([], [], "--", color=GREY, label="lazy limit, closed form")
    below[0].set(title="directions of the units", ylabel="effective number", ylim=(0, None))
    below[1].set(title="movement of all weights", ylabel=r"$\|w - w_0\| / \|w_0\|$")
    for ax in below[:2]:
        ax.set(xscale="log", xlabel="step")
    log_axis(below[1])
    for ax in (*axes[len(scales) : columns], *below[2:]):
        ax.set_visible(False)
    return finish(figure, recipe)


def _paths(ax: Axes, rows: pd.DataFrame, teachers: pd.DataFrame) -> None:
    """The path of |a_j| b_j of each unit with a dot at its end, the unit circle, and an arrow for each teacher unit."""
    ax.add_patch(Circle((0, 0), 1, fill=False, color=GREY, linestyle=":", linewidth=1.3))
    for teacher in teachers.itertuples():
        head = {"arrowstyle": "->", "linewidth": 2, "color": BLACK}
        ax.annotate("", (teacher.x_1, teacher.x_2), (0, 0), arrowprops=head, zorder=2)
    ends = last(rows, "step").set_index("unit")["positive"]
    for sign, colour, label in SIGNS:
        for unit in ends.index[ends == sign]:
            own = rows[rows["unit"] == unit].sort_values("step")
            ax.plot(own["x_1"], own["x_2"], "-", color=colour, linewidth=1.1, zorder=3)
            ax.plot(own["x_1"].iloc[-1], own["x_2"].iloc[-1], "o", color=colour, markersize=5, zorder=4)
        ax.add_line(Line2D([], [], color=colour, marker="o", markersize=5, label=label))
    ax.add_line(Line2D([], [], color=BLACK, marker=">", label="teacher's units"))
    ax.add_line(Line2D([], [], color=GREY, linestyle=":", label="unit circle"))
    places = rows[["x_1", "x_2"]].abs().to_numpy()
    reach = 1.12 * places[places < FAR].max(initial=1.0)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    ax.set(xlabel="first coordinate of $|a_j| b_j$", ylabel="second coordinate")
