"""How the weights along exact flows tend to a constant, how exact the estimators are, and the figure that shows it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, loglog_slope, over_units, per_seed
from resodectl.drawing.axes import level, log_axis, log_axis_at, reference_slope, spread
from resodectl.drawing.colours import BLUE, GREEN, ORANGE, PURPLE, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import in_order
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.neis.zero_variance.spec import LADDERS, Params

FLOOR = 1e-16  # smaller errors are rounding
NAMES = {"constant": "$d=1$, constant", "gaussian": "Gaussians", "square": "square with walls"}
COLOURS = {"constant": BLUE, "gaussian": VERMILLION, "square": GREEN}
METHODS = {"int": ("path and trapezoids", ORANGE), "ode": ("joint equation", PURPLE)}


def measure_relative_mean(rows: pd.DataFrame) -> Estimate:
    """The mean of A / R, mean over seeds."""
    return per_seed(rows, lambda of_seed: of_seed["relative_mean"].mean())


def measure_relative_variance(rows: pd.DataFrame) -> Estimate:
    """Var(A) / R^2, mean over seeds."""
    return per_seed(rows, lambda of_seed: of_seed["relative_variance"].mean())


def measure_log10_largest_error(rows: pd.DataFrame) -> Estimate:
    """log10 of the largest relative error of a sample, mean over seeds; at least -16, where rounding begins."""
    return per_seed(rows, lambda of_seed: np.log10(max(of_seed["largest_error"].max(), FLOOR)))


def measure_largest_ratio(rows: pd.DataFrame) -> Estimate:
    """The largest ratio of the variance at a speed to that at the next lower speed, a seed at a time."""

    def largest(of_seed: pd.DataFrame) -> float:
        variances = of_seed.sort_values("speed")["relative_variance"].to_numpy()
        return float((variances[1:] / variances[:-1]).max()) if len(variances) > 1 else np.nan

    return per_seed(rows, largest)


def measure_order(rows: pd.DataFrame) -> Estimate:
    """The slope of the logarithm of the largest error against that of the number of steps, a seed at a time."""
    return over_units(
        loglog_slope(of_seed["steps"], of_seed["largest_error"]) for _, of_seed in rows.groupby("seed", sort=True)
    )


def draw_zero_variance(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Variance, largest error and mean of the weights against the speed; the error along a rotation by its steps."""
    figure, axes = panels(2, 2, panel=(4.6, 3.3))
    weights = log["weights"]
    finite = weights[weights["method"] == "int"]
    right = finite[finite["ablation"] == "none"]
    infinite = weights[(weights["method"] == "infinite") & (weights["ablation"] == "none")]
    _against_speed(axes[0], right, "relative_variance", "-", named=True)
    _against_speed(axes[0], finite[finite["ablation"] == "one-sided"], "relative_variance", ":")
    axes[0].set_title("variance; dotted: window from $t_-=0$")
    axes[0].set_ylabel("$\\mathrm{Var}(A)/R^2$")
    _against_speed(axes[1], right, "largest_error", "-")
    _against_speed(axes[1], infinite, "largest_error", "--")
    axes[1].set_title("largest error; dashed: infinite time, cut at $\\pm T$")
    axes[1].set_ylabel("$\\max|A/R-1|$")
    for ax in axes[:2]:
        log_axis(ax)
    _against_speed(axes[2], right, "relative_mean", "-")
    _against_speed(axes[2], finite[finite["ablation"] == "fixed-window"], "relative_mean", ":")
    level(axes[2], 1.0, "unbiased")
    axes[2].set_title("mean; dotted: the window of $B$ is fixed")
    axes[2].set_ylabel("mean of $A/R$")
    _rotation(axes[3], weights, recipe.params)
    return finish(figure, recipe)


def _against_speed(ax: Axes, rows: pd.DataFrame, column: str, line: str, named: bool = False) -> None:
    for field, own in in_order(rows, "field", LADDERS):
        label = NAMES[field] if named else None
        spread(ax, own, "speed", column, colour=COLOURS[field], label=label, line=line, points=False)
    log_axis_at(ax, sorted(rows[rows["field"].isin(LADDERS)]["speed"].unique()), "speed $T$ of the flow")


def _rotation(ax: Axes, rows: pd.DataFrame, params: Params) -> None:
    rows = rows[(rows["field"] == "rotation") & (rows["ablation"] == "none")]
    for method, own in in_order(rows, "method", METHODS):
        name, colour = METHODS[method]
        spread(ax, own, "steps", "largest_error", colour=colour, label=name, points=False)
    ends = float(min(params.oracle_steps)), float(max(params.oracle_steps))
    last = rows[(rows["method"] == "ode") & (rows["steps"] == ends[1])]["largest_error"].median()
    log_axis_at(ax, params.oracle_steps, "steps $N$ per unit of time")
    ax.xaxis.set_major_formatter("{x:g}")
    if len(params.oracle_steps) > 1 and last > 0:
        reference_slope(ax, (ends[1] / 4, ends[1]), -4.0, (ends[1], 3 * last), "$N^{-4}$")
    log_axis(ax)
    ax.set_title("rotation: error against the Bessel function")
    ax.set_ylabel("$\\max|A/A_{\\mathrm{exact}}-1|$")
