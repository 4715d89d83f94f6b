"""The three rates of lazy training and their constants, and the figure of them.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), the theorem on a finite horizon.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, loglog_slope, over_units, per_seed
from resodectl.drawing.axes import log_axis, note, spread
from resodectl.drawing.colours import BLACK, BLUE, GREEN, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import in_order, last
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.lazy.rates.spec import Params

Quantity = Literal["movement", "parameter_gap", "output_gap"]

POWERS: dict[Quantity, int] = {"movement": 1, "parameter_gap": 2, "output_gap": 1}  # the theorem: O(alpha^-power)
LABELS = {
    "movement": "movement $\\sup_t|w_t-w_0|$",
    "parameter_gap": "parameter gap $\\sup_t|w_t-\\bar{w}_t|$",
    "output_gap": "output gap $\\sup_t|\\alpha h(w_t)-\\alpha\\bar{h}(\\bar{w}_t)|$",
}
COLOURS = {"tanh": BLUE, "softplus": GREEN, "relu": VERMILLION}
STYLES = {"centred": ("-", "o"), "doubled": ("--", "s"), "uncentred": (":", "^")}


def measure_slope(rows: pd.DataFrame, *, of: Quantity) -> Estimate:
    """The slope of the log of a quantity against log alpha, a seed at a time."""
    return per_seed(rows, lambda own: loglog_slope(own["alpha"], own[of]))


def measure_seeds_at_slope(rows: pd.DataFrame, *, of: Quantity, slope: float, tolerance: float) -> Estimate:
    """The share of seeds with such a slope of logs, within a tolerance; with relu, units that switch spoil some."""
    return per_seed(rows, lambda own: _near(loglog_slope(own["alpha"], own[of]), slope, tolerance))


def _near(value: float, wanted: float, tolerance: float) -> float:
    """1 or 0; NaN for a value that is not a number."""
    return float(abs(value - wanted) <= tolerance) if np.isfinite(value) else np.nan


def measure_share_of_limit(rows: pd.DataFrame, *, of: Quantity) -> Estimate:
    """A quantity times the power of alpha of the theorem, over the limit computed without training; mean over seeds.

    Raises:
        ValueError: a seed has several rows.
    """
    own = _one_each(rows)
    return over_units(own[of] * own["alpha"] ** POWERS[of] / own[f"limit_{of}"])


def measure_log10_scaled(rows: pd.DataFrame, *, of: Quantity, power: int) -> Estimate:
    """log10 of a quantity times a power of alpha, mean over seeds.

    Raises:
        ValueError: a seed has several rows.
    """
    own = _one_each(rows)
    return over_units(np.log10(own[of] * own["alpha"] ** power))


def _one_each(rows: pd.DataFrame) -> pd.DataFrame:
    if rows["seed"].duplicated().any():
        raise ValueError("a seed has several rows; select one activation, start, scale and time")
    return rows


def draw_rates(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """The three quantities at the horizon against alpha, with the limits that the centred ones tend to."""
    rows, params = last(log["gaps"], "time"), recipe.params
    figure, axes = panels(1, len(POWERS), panel=(4.3, 3.9))
    for ax, (of, power) in zip(axes, POWERS.items(), strict=True):
        for activation, same in in_order(rows, "activation", params.activations):
            for start, curve in in_order(same, "start", params.starts):
                line, marker = STYLES[start]
                spread(ax, curve, "alpha", of, colour=COLOURS[activation], line=line, marker=marker, points=False,
                       label=f"{activation}, {start}")  # fmt: skip
            centred = same[same["start"] == "centred"]
            if len(centred):
                alphas = np.array(sorted(params.alphas))
                limit = centred.groupby("seed")[f"limit_{of}"].first().median()
                label = "limit of centred training, computed without training"
                ax.plot(alphas, limit * alphas ** (-1.0 * power), color=BLACK, linewidth=0.7, label=label, zorder=5)
        ax.set_xscale("log")
        log_axis(ax)
        ax.set_title(f"$O(1/\\alpha{'^2' if power == 2 else ''})$ for $h(w_0)=0$")
        ax.set_xlabel("scale $\\alpha$ of the output")
        ax.set_ylabel(LABELS[of])
    note(axes[-1], "below $10^{-10}$: rounding", "lower left")
    return finish(figure, recipe)
