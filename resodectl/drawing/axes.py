"""What figures share: curves over seeds with their spread, histograms, maps, slopes to compare with, depth axes."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from resodectl.drawing.colours import GREY
from resodectl.drawing.legend import BARS, INTERVAL, QUARTILES, SEEDS

TICKS = 8  # at most so many labelled depths
FEW, MANY = np.array([1, 2, 3, 5]), np.array([1, 1.5, 2, 3, 4, 5, 6, 7, 8])  # round values of a decade
GOLDEN = (5**0.5 - 1) / 2
NORMAL_QUANTILE = 1.96


def spread(
    ax: Axes,
    rows: pd.DataFrame,
    x: str,
    y: str,
    *,
    colour: str,
    label: str | None = None,
    centre: Literal["median", "mean"] = "median",
    line: str = "-",
    marker: str = "o",
    points: bool = True,
) -> Line2D:
    """A curve of `y` against `x`: the centre over seeds, and a band between their quartiles where there are several.

    With a marker, the seeds are faint points as well, unless `points` is false.

    A seed with several rows at one x counts once, with their mean. Where a seed is NaN or infinite, as after a
    divergence, the centre is left out unless it is still finite: divergence is never averaged away. (seaborn's
    `lineplot` drops such seeds, and averages logarithms where the axis is logarithmic.)
    """
    of_seed = _of_seeds(rows, x, y)
    groups = [(place, group[y].to_numpy(float)) for place, group in of_seed.groupby(x, sort=True)]
    places = np.array([place for place, _ in groups], dtype=float)
    middle = np.median if centre == "median" else np.mean
    with np.errstate(invalid="ignore"):
        centres = np.array([middle(values) for _, values in groups], dtype=float)
        low, high = (np.array([np.quantile(values, q) for _, values in groups], dtype=float) for q in (0.25, 0.75))
    centres[~np.isfinite(centres)] = np.nan
    (drawn,) = ax.plot(places, centres, line, marker=marker, color=colour, label=label, zorder=3)
    if of_seed["seed"].nunique() > 1:
        finite = np.isfinite(low) & np.isfinite(high)
        ax.fill_between(
            places, low, high, where=finite, color=colour, alpha=0.18, linewidth=0, zorder=1, label=QUARTILES
        )
        if points and marker:
            seen = of_seed[np.isfinite(of_seed[y])]
            ax.plot(seen[x], seen[y], ".", color=colour, alpha=0.35, markersize=3.5, zorder=2, label=SEEDS)
    return drawn


def _of_seeds(rows: pd.DataFrame, x: str, y: str) -> pd.DataFrame:
    """The mean of `y` for each x and seed; NaN where one of its values is NaN."""
    grouped = rows.groupby([x, "seed"], sort=True)[y]
    return grouped.mean().where(grouped.count() == grouped.size()).reset_index()


def mean_with_interval(ax: Axes, rows: pd.DataFrame, x: str, y: str, *, colour: str, label: str) -> None:
    """The mean of `y` against `x`, and a band of 1.96 standard errors of the rows; for a linear y axis.

    An x where a row is NaN or infinite is left out.
    """
    finite = rows[np.isfinite(rows[y]).groupby(rows[x]).transform("all")]
    seaborn.lineplot(
        x=finite[x].to_numpy(), y=finite[y].to_numpy(), errorbar=("se", NORMAL_QUANTILE),
        err_kws={"alpha": 0.25, "linewidth": 0, "label": INTERVAL}, color=colour, label=label, legend=False, ax=ax,
    )  # fmt: skip


def histogram(ax: Axes, rows: pd.DataFrame, column: str, edges: np.ndarray, *, colour: str, label: str) -> None:
    """The density of a column between the edges, with bars of two standard errors over seeds, of equally many rows."""
    seaborn.histplot(
        x=rows[column].to_numpy(), bins=edges.tolist(), stat="density", element="step", linewidth=0, alpha=0.45,
        color=colour, label=label, ax=ax,
    )  # fmt: skip
    densities = [np.histogram(own[column], edges, density=True)[0] for _, own in rows.groupby("seed")]
    if len(densities) > 1:
        error = 2 * np.std(densities, axis=0, ddof=1) / len(densities) ** 0.5
        middles = (edges[1:] + edges[:-1]) / 2
        ax.errorbar(middles, np.mean(densities, axis=0), error, fmt="none", ecolor=colour, elinewidth=1, label=BARS)


def heat_map(
    ax: Axes, rows: pd.DataFrame, x: str, y: str, value: str, *, colours: str, ends: tuple[float, float]
) -> QuadMesh:
    """The mean of `value` in colour at each x and y of a grid. Both axes keep their scale, so that curves fit on it."""
    table = rows.groupby([y, x])[value].mean().unstack(x)
    ax.grid(visible=False)
    return ax.pcolormesh(table.columns, table.index, table, cmap=colours, vmin=ends[0], vmax=ends[1], shading="nearest")


def dots(
    ax: Axes,
    x: float,
    values: Iterable[float],
    *,
    colour: str,
    label: str | None = None,
    width: float = 0.14,
) -> None:
    """Values above one x, spread sideways so that they can be told apart; always in the same way.

    (The jitter of seaborn's `stripplot` comes from NumPy's global generator.)
    `width` is the full width of the spread: as a fraction of x on a logarithmic axis, else in units of x.
    """
    heights = np.asarray(list(values), dtype=float)
    offsets = width * ((np.arange(1, heights.size + 1) * GOLDEN) % 1 - 0.5)
    places = x * np.exp(offsets) if ax.get_xscale() == "log" else x + offsets
    ax.plot(places, heights, "o", color=colour, label=label, alpha=0.6, markersize=3.6, markeredgewidth=0)


def reference_slope(
    ax: Axes, x: tuple[float, float], slope: float, anchor: tuple[float, float], label: str, colour: str = GREY
) -> None:
    """A dashed power law of exponent `slope` through `anchor`, drawn over the interval `x`, named at its right end."""
    ends = np.asarray(x, dtype=float)
    heights = anchor[1] * (ends / anchor[0]) ** slope
    ax.plot(ends, heights, "--", color=colour, linewidth=1.1, zorder=1.5)
    ax.annotate(
        label,
        (ends[-1], heights[-1]),
        xytext=(4, 0),
        textcoords="offset points",
        color=colour,
        va="center",
        fontsize=8.5,
    )


def level(ax: Axes, value: float, label: str, colour: str = GREY) -> None:
    """A dashed horizontal line at a value that the curves are to be compared with."""
    ax.axhline(value, linestyle="--", color=colour, linewidth=1.1, label=label, zorder=1.5)


def note(ax: Axes, text: str, corner: Literal["upper left", "upper right", "lower left", "lower right"]) -> None:
    """A few words or numbers in a corner of a panel."""
    vertical, horizontal = corner.split()
    ax.annotate(
        text,
        (0.03 if horizontal == "left" else 0.97, 0.03 if vertical == "lower" else 0.97),
        xycoords="axes fraction",
        ha=horizontal,
        va="bottom" if vertical == "lower" else "top",
        fontsize=8.5,
        bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
        zorder=5,
    )


def depth_axis(ax: Axes, depths: Iterable[float], label: str = "depth $N$") -> None:
    """A logarithmic x axis for depths, labelled in whole powers of two."""
    found = np.asarray(list(depths), dtype=float)
    first, last = int(np.floor(np.log2(found.min()))), int(np.ceil(np.log2(found.max())))
    step = max(1, -(-(last - first + 1) // TICKS))
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_locator(FixedLocator([2.0**power for power in range(first, last + 1, step)]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}" if value < 1 else f"{value:.0f}"))
    ax.set_xlabel(label)


def log_axis_at(ax: Axes, values: Iterable[float], label: str) -> None:
    """A logarithmic x axis, labelled at the given values alone, such as a few learning rates."""
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(sorted(values)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.2g}"))
    ax.set_xlabel(label)


def log_axis(ax: Axes) -> None:
    """A logarithmic y axis for the curves drawn so far, unless no value in them is finite and positive."""
    heights = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in ax.lines] or [np.empty(0)])
    if (np.isfinite(heights) & (heights > 0)).any():
        ax.set_yscale("log")


def plain_ticks(ax: Axes) -> None:
    """Plain numbers at round values on a logarithmic y axis, for the limits that it has; a linear one stays."""
    if ax.get_yscale() != "log":
        return
    low, high = ax.get_ylim()
    decades = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)))
    steps = FEW if high > 6 * low else MANY
    marks = [mark for decade in decades for mark in steps * 10**decade if low <= mark <= high]
    ax.set_yticks(
        marks
        if len(marks) > 1
        else [mark for mark in MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(low, high) if mark > 0]
    )
    ax.set_ylim(low, high)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
