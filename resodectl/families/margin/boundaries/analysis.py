"""How near trained networks get to the exact optima of both norms, and the figures of boundaries and of hidden units.

Chizat & Bach 2020 (arXiv 2002.04486), Figure 1.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, per_seed
from resodectl.drawing.axes import level, note, spread
from resodectl.drawing.colours import BLACK, BLUE, DIVERGING, GREY, ORANGE, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import first_seed
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.margin.boundaries.spec import Params

FLOOR = 1e-9  # smaller shortfalls are rounding
METHODS = (("both", BLUE, "both layers: F1 margin"), ("output", ORANGE, "output layer: margin of its kernel"))
Quantity = Literal["ratio", "kernel_ratio", "alignment"]


def measure_reached(rows: pd.DataFrame, *, quantity: Quantity = "ratio") -> Estimate:
    """A quantity at the last of the rows' steps, mean over seeds."""
    return per_seed(rows, lambda own: float(own.sort_values("step")[quantity].iloc[-1]))


def measure_log10_shortfall(rows: pd.DataFrame, *, quantity: Quantity = "ratio") -> Estimate:
    """log10 of what a quantity falls short of 1 by at the last of the rows' steps, mean over seeds; at least -9."""

    def of_seed(own: pd.DataFrame) -> float:
        return float(np.log10(max(1 - own.sort_values("step")[quantity].iloc[-1], FLOOR)))

    return per_seed(rows, of_seed)


def measure_atoms_per_point(rows: pd.DataFrame) -> Estimate:
    """Hidden units of the exact F1 optimum over the number of points, mean over seeds."""
    return per_seed(rows, lambda own: float((own["atoms"] / own["points"]).mean()))


def measure_feature_error(rows: pd.DataFrame) -> Estimate:
    """|log| of the largest margin with random features over that with the arc-cosine kernel, mean over seeds."""
    return per_seed(rows, lambda own: float(np.log(own["ratio"]).abs().mean()))


def measure_preference(rows: pd.DataFrame) -> Estimate:
    """The share of the square where a classifier agrees with the exact F1 optimum, less that with the F2 optimum."""

    def of_seed(own: pd.DataFrame) -> float:
        share = own.set_index("optimum")["share"]
        return float(share.get("f1", np.nan) - share.get("f2", np.nan))

    return per_seed(rows, of_seed)


def draw_boundaries(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """The points; the classifiers of both layers and of the output layer, above the exact optima; the margins."""
    figure, axes = panels(2, 3, panel=(3.6, 3.5))
    points, surfaces = first_seed(log["points"]), first_seed(log["surfaces"])
    _points(axes[0], points, surfaces)
    shown = (
        (axes[1], "both", "both layers trained"),
        (axes[2], "output", "output layer trained"),
        (axes[4], "f1", "exact F1 optimum"),
        (axes[5], "f2", "exact F2 optimum"),
    )
    for ax, classifier, title in shown:
        _surface(ax, surfaces[surfaces["classifier"] == classifier], points)
        ax.set_title(title)
    of_points = log["optima"][log["optima"]["labels"] == "given"]
    best = first_seed(of_points).iloc[0]
    if np.isfinite(best["svm"]):
        note(axes[0], f"margin of the line: {best['svm']:.3g}", "lower left")
    note(axes[4], f"margin: {best['f1_lower']:.4g}, at most {best['f1_upper']:.4g}", "lower right")
    note(axes[5], f"margin: {best['f2_lower']:.4g}", "lower right")
    _margins(axes[3], log["margins"])
    return finish(figure, recipe)


def draw_particles(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """The paths of hidden units, both layers trained and the output layer alone; margins and directions in time."""
    figure, axes = panels(2, 2, panel=(4.2, 3.8))
    particles, atoms = first_seed(log["particles"]), first_seed(log["atoms"])
    for ax, method, title in ((axes[0], "both", "both layers trained"), (axes[1], "output", "output layer trained")):
        _paths(ax, particles[particles["method"] == method], atoms)
        ax.set_title(title)
    _margins(axes[2], log["margins"])
    later = log["margins"][log["margins"]["step"] > 0]
    for method, colour, _ in METHODS:
        spread(axes[3], later[later["method"] == method], "step", "alignment", colour=colour, marker="")
    level(axes[3], 1.0, "certified optimum")
    axes[3].set(xscale="log", xlabel="step", ylabel="mean cosine with the nearest atom", title="directions")
    return finish(figure, recipe)


def _points(ax: Axes, points: pd.DataFrame, surfaces: pd.DataFrame) -> None:
    """The samples by their labels, the centres of the discs, and the best separating line if there is one."""
    centres = points[points["part"] == "centre"]
    samples = points[points["part"] == "sample"]
    discs = centres.merge(samples[["x", "y"]], on=["x", "y"], how="left", indicator=True)
    discs = discs[discs["_merge"] == "left_only"]
    if len(discs):
        ax.plot(discs["x"], discs["y"], "o", color=BLACK, markersize=4, label="centre of a disc")
    for label, colour, marker in ((1.0, VERMILLION, "+"), (-1.0, BLUE, "_")):
        own = samples[samples["label"] == label]
        ax.plot(own["x"], own["y"], marker, color=colour, markersize=8, markeredgewidth=2, label=f"label {label:.0f}")
    line = surfaces[surfaces["classifier"] == "svm"]
    if np.isfinite(line["value"]).all():
        x, y, value = _grid(line)
        ax.contour(x, y, value, levels=[0.0], colors=[GREY], linestyles="--", linewidths=1.4)
        ax.plot([], [], "--", color=GREY, label="best separating line")
    _frame(ax, line)
    ax.set_title("points")


def _surface(ax: Axes, rows: pd.DataFrame, points: pd.DataFrame) -> None:
    """tanh of f over its least margin in colour, the boundary f = 0 as a line, and the samples."""
    x, y, value = _grid(rows)
    ax.grid(visible=False)
    half = (x[1] - x[0]) / 2
    extent = (x[0] - half, x[-1] + half, y[0] - half, y[-1] + half)
    ax.imshow(
        np.tanh(value), cmap=DIVERGING, vmin=-1.3, vmax=1.3, origin="lower", extent=extent, interpolation="bilinear"
    )
    if (value > 0).any() and (value < 0).any():
        ax.contour(x, y, value, levels=[0.0], colors=[BLACK], linewidths=2)
    for label, marker in ((1.0, "+"), (-1.0, "_")):
        own = points[(points["part"] == "sample") & (points["label"] == label)]
        ax.plot(own["x"], own["y"], marker, color=BLACK, markersize=5)
    _frame(ax, rows)


def _frame(ax: Axes, rows: pd.DataFrame) -> None:
    ax.set(xlim=(rows["x"].min(), rows["x"].max()), ylim=(rows["y"].min(), rows["y"].max()), aspect="equal")
    ax.set(xlabel="$x$", ylabel="$y$")


def _grid(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both axes and the values of a square."""
    table = rows.pivot(index="y", columns="x", values="value")
    return table.columns.to_numpy(), table.index.to_numpy(), table.to_numpy()


def _margins(ax: Axes, rows: pd.DataFrame) -> None:
    """The largest margins so far over the exact optima, each method in its own norm."""
    later = rows[rows["step"] > 0]
    for (method, colour, label), quantity in zip(METHODS, ("ratio", "kernel_ratio"), strict=True):
        own = later[later["method"] == method]
        spread(ax, own, "step", quantity, colour=colour, label=label, marker="")
    level(ax, 1.0, "certified optimum")
    ax.set(xscale="log", ylim=(-0.05, 1.05), xlabel="step", ylabel="margin / largest possible", title="margins")


def _paths(ax: Axes, rows: pd.DataFrame, atoms: pd.DataFrame) -> None:
    """Each unit along its direction, at the root of |a| |b| over its mean; dashed, the atoms of the exact optimum."""
    radius = np.hypot(rows["u"], rows["v"])
    factor = np.sqrt(1 / np.where(radius * rows["mean"] > 0, radius * rows["mean"], np.inf))
    shown = rows.assign(across=rows["u"] * factor, along=rows["v"] * factor)
    reach = 1.08 * max(shown["across"].abs().max(), shown["along"].abs().max(), 1.0)
    rays = atoms[["u", "v"]].to_numpy()
    for u, v in rays / np.linalg.norm(rays, axis=1, keepdims=True):
        ax.plot([0, 2 * reach * u], [0, 2 * reach * v], "--", color=GREY, linewidth=1.1, label="atom of the F1 optimum")
    for positive, colour, label in ((True, VERMILLION, "$b_j > 0$"), (False, BLUE, "$b_j < 0$")):
        for _, own in shown.groupby("unit"):
            ax.plot(
                own["across"].where(own["positive"] == positive), own["along"], color=colour, linewidth=0.8, alpha=0.5
            )
        last = shown[(shown["step"] == shown["step"].max()) & (shown["positive"] == positive)]
        ax.plot(last["across"], last["along"], "o", color=colour, markersize=3.5, label=label)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    ax.set_xlabel("$x$ component")
    ax.set_ylabel("$y$ component")
