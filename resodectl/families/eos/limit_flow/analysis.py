"""How far descent is from its limiting flow, in units of the learning rate, and the figure that shows it.

Arora, Li & Panigrahi 2022 (arXiv 2205.09745). Nothing here is random: values are exact but for the start of a flow.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, exact
from resodectl.drawing.axes import log_axis_at, reference_slope
from resodectl.drawing.colours import BLUE, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import in_order
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.eos.limit_flow.spec import Params

Identity = Literal["stableness", "root_loss"]

ACCURACY = 1e-6  # of all values that compare with a flow, whose start is known to 1e-8, and at most 1e-6
ROUNDING = 1e-15  # of distances from the minimisers
ALGORITHMS = {
    "normalised": ("normalised descent", "on $\\log\\lambda_1$", BLUE),
    "square-root": ("descent on $\\sqrt{L}$", "on $\\lambda_1$", VERMILLION),
}
TOYS = {
    "surface": ("$(1+x^2)\\,y^2$", "$x$"),
    "ellipse": ("$(x^2/a^2+y^2/b^2-1)^2/2$", "angle on the ellipse"),
    "two-normals": ("$(\\lambda_1(z)\\,a^2+\\lambda_2(z)\\,b^2)/2$", "$z$"),
}
MARKERS = ("o", ".")  # of the largest and of the smallest learning rate
APART = 1.4  # least factor between two learning rates that are labelled


def measure_error_per_rate(rows: pd.DataFrame) -> Estimate:
    """The largest distance of a path from the limiting flow, over all steps, divided by the learning rate."""
    return exact(float((rows["error"] / rows["lr"]).max()), ACCURACY)


def measure_halving(rows: pd.DataFrame) -> Estimate:
    """By what factor at least the largest distance falls when the learning rate is halved."""
    largest = rows.groupby("lr")["error"].max()
    pairs = [(2 * lr, lr) for lr in largest.index if np.isclose(largest.index, 2 * lr).any()]
    at = [largest[np.isclose(largest.index, double)].iloc[0] / largest[lr] for double, lr in pairs]
    return exact(min(at, default=np.nan), ACCURACY)


def measure_pair_error(rows: pd.DataFrame, *, identity: Identity) -> Estimate:
    """The largest error of an identity between two consecutive steps, divided by the learning rate."""
    return exact(float((rows[f"pair_{identity}"] / rows["lr"]).max()), ACCURACY)


def measure_misalignment(rows: pd.DataFrame) -> Estimate:
    """The largest 1 - |cos| of the gradient and the top eigenvector."""
    return exact(float(rows["misalignment"].max()), ACCURACY)


def measure_entry(rows: pd.DataFrame) -> Estimate:
    """lr times the steps until the path is within lr of the minimisers: from the least to the most over the rates."""
    low, high = rows["entry"].min(), rows["entry"].max()
    return Estimate((low + high) / 2, low, high, 0, "exact")


def measure_integration_error(rows: pd.DataFrame) -> Estimate:
    """The largest distance between the flow integrated along the minimisers and its closed form."""
    return exact(float((rows["integrated"] - rows["flow"]).abs().max()), ACCURACY)


def measure_distance(rows: pd.DataFrame) -> Estimate:
    """The largest distance of the integrated flow from the minimisers."""
    return exact(float(rows["distance"].max()), ROUNDING)


def draw_flows(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Paths on their flows, a toy a column; below, the largest distance against the learning rate.

    Iterates go to and fro, so that a path is shown as the means of two consecutive ones.
    """
    paths = log["paths"]
    toys = in_order(paths, "toy", TOYS)
    figure, axes = panels(2, len(toys))
    for column, (toy, own) in enumerate(toys):
        _follow(axes[column], own)
        axes[column].set_title(f"$L=${_formula(toy, recipe.params)}")
        axes[column].set_ylabel(TOYS[toy][1])
        axes[len(toys) + column].set_title("distance from the flow once landed")
        _errors(axes[len(toys) + column], own)
    axes[0].set_ylabel(f"{TOYS[toys[0][0]][1]}, mean of two steps")
    axes[len(toys)].set_ylabel("largest over all steps")
    return finish(figure, recipe)


def _formula(toy: str, params: Params) -> str:
    """The loss in mathematical notation, with the numbers of the ellipse if all runs have the same."""
    axes = {run.axes for run in params.runs if run.toy == "ellipse"}
    if toy != "ellipse" or len(axes) > 1:
        return TOYS[toy][0]
    parts = (
        f"{name}^2" if square == 1 else f"{name}^2/{square:.3g}"
        for name, square in zip("xy", (axis**2 for axis in axes.pop()), strict=True)
    )
    return f"$({'+'.join(parts)}-1)^2/2$"


def _follow(ax: Axes, rows: pd.DataFrame) -> None:
    """The means of two steps at the largest and the smallest rate, on the flow of the smallest."""
    lrs = (rows["lr"].max(), rows["lr"].min())
    for algorithm, own in in_order(rows, "algorithm", ALGORITHMS):
        name, potential, colour = ALGORITHMS[algorithm]
        for lr, marker in zip(lrs, MARKERS, strict=True):
            path = own[own["lr"] == lr]
            shown = path.iloc[:: max(1, len(path) // 25)]
            ax.plot(shown["time"], shown["pair_mean"], marker, color=colour, alpha=0.7, label=f"{name}, $\\eta={lr:g}$")
        finest = own[own["lr"] == lrs[1]]
        ax.plot(finest["time"], finest["flow"], color=colour, label=f"limiting flow {potential}")
    ax.set_xlabel("$\\tau=\\eta^2 t$")


def _errors(ax: Axes, rows: pd.DataFrame) -> None:
    landed = rows[rows["landed"]]
    for algorithm, own in in_order(landed, "algorithm", ALGORITHMS):
        largest = own.groupby("lr")["error"].max()
        ax.plot(largest.index, largest, "o-", color=ALGORITHMS[algorithm][2])
    ends = float(rows["lr"].min()), float(rows["lr"].max())
    highest = float(landed.loc[landed["lr"] == landed["lr"].min(), "error"].max())
    if highest > 0:
        reference_slope(ax, ends, 1.0, (ends[0], 1.6 * highest), "$\\propto\\eta$")
        ax.set_yscale("log")
    labelled: list[float] = []
    for lr in sorted(rows["lr"].unique()):
        if not labelled or lr >= APART * labelled[-1]:
            labelled.append(lr)
    log_axis_at(ax, labelled, "learning rate $\\eta$")
