"""Norms, increments and roughness of trained convolutions against depth, and the figure that shows them.

Cohen, Cont, Rossier & Xu 2021 (arXiv 2105.12245), the figures on CIFAR-10.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, loglog_slope, per_seed
from resodectl.drawing.axes import depth_axis, dots, note, plain_ticks, spread
from resodectl.drawing.colours import BLUE, CRIMSON, GREY, MAGENTA, ORANGE
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import first_seed, in_order
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.scaling.conv_weights.spec import Params

NAMES = {"A": "first convolutions $A_k$", "Delta": "second convolutions $\\Delta_k$"}
LOOKS = {  # label and colour of every statistic; red and magenta as in the paper
    "largest": ("largest norm", CRIMSON),
    "root_sum_square": ("$(\\Sigma_k |T_k|^2)^{1/2}$", MAGENTA),
    "increment": ("$\\max_k |T_{k+1} - T_k|$", ORANGE),
}
PUBLISHED = {  # levels at the paper's smallest and largest depth, as read from its figures
    "A": {"largest": (4.0, 4.0), "increment": (3.0, 3.0), "root_sum_square": (10.0, 10.0)},
    "Delta": {"largest": (5.5, 4.0), "increment": (6.5, 6.5), "root_sum_square": (12.0, 12.0)},
}
Statistic = Literal["largest", "increment", "root_sum_square"]
PAPER_DEPTHS = (8.0, 121.0)


def measure_smallest_roughness(rows: pd.DataFrame) -> Estimate:
    """mean |T_{k+1} - T_k|^2 / (2 mean |T_k|^2), Frobenius norms within stages: the smallest over the depths."""
    return per_seed(rows, lambda own: min(_roughness(of_depth) for _, of_depth in own.groupby("depth")))


def measure_largest_roughness(rows: pd.DataFrame) -> Estimate:
    """The same, the largest over the depths."""
    return per_seed(rows, lambda own: max(_roughness(of_depth) for _, of_depth in own.groupby("depth")))


def measure_increment_ratio(rows: pd.DataFrame) -> Estimate:
    """The mean of |T_{k+1} - T_k| over that of |T_k|, operator norms, averaged over the depths."""

    def ratio(own: pd.DataFrame) -> float:
        means = own.groupby("depth")[["increment", "norm"]].mean()
        return _unless_diverged(own, float((means["increment"] / means["norm"]).mean()))

    return per_seed(rows, ratio)


def measure_growth(rows: pd.DataFrame) -> Estimate:
    """max_k |T_k| after training over that before, operator norms, averaged over the depths."""

    def ratio(own: pd.DataFrame) -> float:
        largest = own.groupby("depth")[["norm", "initial_norm"]].max()
        return _unless_diverged(own, float((largest["norm"] / largest["initial_norm"]).mean()))

    return per_seed(rows, ratio)


def measure_slope(rows: pd.DataFrame, *, statistic: Statistic) -> Estimate:
    """The exponent of a statistic of the operator norms: the slope of its logarithm against log L."""
    return per_seed(_statistics(rows), lambda own: loglog_slope(own["depth"], own[statistic]))


def measure_median_test_error(rows: pd.DataFrame) -> Estimate:
    """The test error in per cent, the median over the depths: single networks may not get off the ground."""
    return per_seed(rows, lambda own: float(own["test_error"].median()))


def _roughness(rows: pd.DataFrame) -> float:
    """Of one network: over the layers from which a step leads to a layer of the same shape and stage."""
    steps = rows[rows["increment_square"].notna()]
    if not len(steps):
        return math.nan
    return _unless_diverged(rows, float(steps["increment_square"].mean() / (2 * steps["square"].mean())))


def _unless_diverged(rows: pd.DataFrame, value: float) -> float:
    return math.nan if rows["norm"].isna().any() else value


def draw_norms(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Norms of all layers with the largest of each network, and their increments and sums of squares, against depth."""
    rows = log["layers"]
    figure, axes = panels(2, 2, panel=(4.7, 3.4))
    for column, (tensor, name) in enumerate(NAMES.items()):
        own = rows[rows["tensor"] == tensor]
        statistics = _statistics(own)
        norms, steps = axes[column], axes[2 + column]
        for ax in (norms, steps):
            ax.set_yscale("log")
            depth_axis(ax, [*rows["depth"].unique(), *PAPER_DEPTHS], "depth $L$ (blocks)")
        first = first_seed(own)
        for index, (depth, of_depth) in enumerate(in_order(first, "depth", sorted(first["depth"].unique()))):
            label = f"each layer of seed {own['seed'].min()}" if index == 0 else None
            dots(norms, depth, of_depth["norm"], colour=BLUE, label=label)
        _curves(norms, statistics, tensor, ["largest"])
        _curves(steps, statistics, tensor, ["root_sum_square", "increment"])
        for ax in (norms, steps):
            plain_ticks(ax)
        norms.set_title(f"norms of {name}")
        steps.set_title(f"hypotheses for {name}")
    axes[0].set_ylabel("operator norm")
    axes[2].set_ylabel("operator norm")
    return finish(figure, recipe)


def _statistics(rows: pd.DataFrame) -> pd.DataFrame:
    """The largest norm, the largest increment and the root of the sum of squared norms of every network."""
    squared = rows.assign(squared_norm=rows["norm"] ** 2)
    of_network = squared.groupby(["depth", "seed"])
    return pd.DataFrame(
        {
            "largest": of_network["norm"].max(),
            "increment": of_network["increment"].max(),
            "root_sum_square": np.sqrt(of_network["squared_norm"].sum()),
        }
    ).reset_index()


def _curves(ax: Axes, rows: pd.DataFrame, tensor: str, statistics: Sequence[str]) -> None:
    """Statistics against depth with their exponents, and the paper's levels on CIFAR-10 beside them."""
    words = []
    for statistic in statistics:
        label, colour = LOOKS[statistic]
        spread(ax, rows, "depth", statistic, colour=colour, label=label)
        ax.plot(PAPER_DEPTHS, PUBLISHED[tensor][statistic], "--", color=colour, linewidth=1.0, alpha=0.7)
        slopes = [loglog_slope(own["depth"], own[statistic]) for _, own in rows.groupby("seed")]
        if np.isfinite(slopes).all():
            words.append(f"{label}: slope {np.mean(slopes):.2f}".replace("-", "\N{MINUS SIGN}"))
    ax.plot([], [], "--", color=GREY, linewidth=1.0, label="paper, CIFAR-10")
    if words:
        note(ax, "\n".join(words), "lower right")
