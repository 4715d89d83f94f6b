"""How fast the adjoint's gradient error falls with depth, and the figure with one dot a tensor.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612), Figure 4.
"""

import math
from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, loglog_slope, per_seed
from resodectl.drawing.axes import depth_axis, dots, reference_slope, spread
from resodectl.drawing.colours import CRIMSON, NAVY
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import first_seed
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.adjoint.gradient_error.spec import Params

COLOURS = {"euler": NAVY, "heun": CRIMSON}  # dark blue and red, as in the paper
NAMES = {"euler": "ResNet", "heun": "HeunNet"}
SHIFT = 1.13  # dots of the schemes stand side by side: at N / SHIFT and N * SHIFT
BEYOND = 1.6  # reference slopes end right of the last dots, where their labels can be read
GROUPS = (  # tensors, line, marker, label, and by scheme the order to compare with and its height beside the curve
    (
        ("residual.conv2.weight", "residual.bn2.weight"),
        "-",
        "o",
        "conv2, bn2",
        {"euler": (-2, 0.4), "heun": (-4, 0.12)},
    ),
    (("residual.conv1.weight",), "--", "s", "conv1", {"euler": (-1, 2.5)}),
)


def measure_median_slope(rows: pd.DataFrame) -> Estimate:
    """The slope of log(squared error) against log N, of the median over tensors."""

    def slope(own: pd.DataFrame) -> float:
        medians = own.groupby("depth")["squared_error"].median()
        return loglog_slope(medians.index, medians)

    return per_seed(rows, slope)


def measure_median_error(rows: pd.DataFrame) -> Estimate:
    """The squared relative error of the gradient, the median over tensors."""
    return per_seed(rows, lambda own: float(own["squared_error"].median()))


def measure_scheme_ratio(rows: pd.DataFrame) -> Estimate:
    """The median squared error of the Heun network over that of the Euler network."""

    def ratio(own: pd.DataFrame) -> float:
        medians = own.groupby("scheme")["squared_error"].median()
        return float(medians.get("heun", math.nan) / medians.get("euler", math.nan))

    return per_seed(rows, ratio)


def draw_tensors(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Squared relative gradient error against depth: a dot a tensor of the first seed, and medians over tensors.

    The medians are those of the tensors behind and of those in front of a ReLU, which have different orders.
    """
    rows = log["gradients"]
    shown = first_seed(rows)
    shown = shown[shown["squared_error"] > 0]
    schemes = sorted(rows["scheme"].unique())
    figure, (ax,) = panels(panel=(5.8, 4.4))
    ax.set_yscale("log")
    depth_axis(ax, rows["depth"].unique(), "depth $N$ (residual layers)")
    for index, scheme in enumerate(schemes):
        shift = SHIFT ** (2 * index + 1 - len(schemes))
        for place, (depth, own) in enumerate(shown[shown["scheme"] == scheme].groupby("depth", sort=True)):
            label = f"{NAMES[scheme]}, each tensor of seed {own['seed'].iloc[0]}" if place == 0 else None
            dots(ax, depth * shift, own["squared_error"], colour=COLOURS[scheme], label=label, width=0.2)
        for tensors, line, marker, name, orders in GROUPS:
            own = rows[(rows["scheme"] == scheme) & rows["tensor"].isin(tensors)]
            medians = own.groupby(["depth", "seed"])["squared_error"].median().reset_index()
            label = f"{NAMES[scheme]}, median of {name}"
            spread(
                ax, medians, "depth", "squared_error", colour=COLOURS[scheme], label=label, line=line, marker=marker,
                points=False,
            )  # fmt: skip
            if scheme in orders:
                _reference(ax, medians, *orders[scheme], COLOURS[scheme])
    ax.set_ylabel("squared relative error of the gradient")
    return finish(figure, recipe)


def _reference(ax: Axes, medians: pd.DataFrame, order: int, factor: float, colour: str) -> None:
    """A power law from the depth in the middle on, at `factor` times the median there."""
    middle = medians.groupby("depth")["squared_error"].median()
    place = len(middle) // 2
    first, last = float(middle.index[place]), float(middle.index[-1]) * BEYOND
    reference_slope(ax, (first, last), order, (first, factor * float(middle.iloc[place])), f"$N^{{{order}}}$", colour)
