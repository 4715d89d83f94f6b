"""The order of the distance between network and neural ODE, how tight the bound on it is, and the figure of both.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612), section 3.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims import estimate
from resodectl.claims.estimate import Estimate
from resodectl.drawing.axes import depth_axis, note, reference_slope, spread
from resodectl.drawing.colours import BLACK, BLUE, GREEN, ORANGE, PURPLE, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.scaling.ode_distance.spec import Params

CAP = 6.0
FIELDS = {
    "smooth": ("smooth weights", BLUE),
    "alternating": ("alternating weights", VERMILLION),
    "ramp": (r"$\varphi = s$", GREEN),
    "affine": (r"$\varphi = Lx + g(s)$", ORANGE),
    "bump": (r"$\varphi = 1 - \cos(2\pi N s)$", PURPLE),
}
ATTAINED = ("ramp", "affine")
PANELS = {
    r"$\varphi(x, s) = \tanh(W(s)\,x)$": ("smooth", "alternating"),
    "fields that attain the bound": ATTAINED,
    "a field that vanishes at the layers": ("bump",),
}


def measure_loglog_slope(rows: pd.DataFrame, *, of: Literal["distance", "bound"] = "distance") -> Estimate:
    """The order in 1/N of the distance, or of its bound: the slope against the depth, a seed at a time."""
    return estimate.per_seed(rows, lambda own: estimate.loglog_slope(own["depth"], own[of]))


def measure_leading_gap(rows: pd.DataFrame) -> Estimate:
    """How far the difference of network and ODE is from its leading term, relative to it; at the worst depth."""
    return estimate.per_seed(rows, lambda own: own["leading_gap"].max(skipna=False))


def measure_log10_of_bound(rows: pd.DataFrame) -> Estimate:
    """log10 of a seed's largest ratio of distance to bound, capped where it explodes."""

    def of_seed(own: pd.DataFrame) -> float:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.log10(own["distance"].to_numpy() / own["bound"].to_numpy())
        return float(np.clip(np.nan_to_num(ratios, nan=CAP, posinf=CAP), -CAP, CAP).max())

    return estimate.per_seed(rows, of_seed)


def measure_tightness(rows: pd.DataFrame) -> Estimate:
    """The smallest ratio of distance to bound over the depths, a seed at a time: 1 where the bound is attained."""
    return estimate.per_seed(rows, lambda own: (own["distance"] / own["bound"]).min(skipna=False))


def measure_least_distance(rows: pd.DataFrame) -> Estimate:
    """The smallest distance over the depths, a seed at a time."""
    return estimate.per_seed(rows, lambda own: own["distance"].min(skipna=False))


def draw_distances(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Distances (solid) and their bounds (dashed) against depth, a panel for every kind of field."""
    rows = log["distances"]
    figure, axes = panels(1, len(PANELS), panel=(4.1, 3.5))
    for ax, (title, fields) in zip(axes, PANELS.items(), strict=True):
        ax.set_title(title)
        for field in fields:
            _curves(ax, rows[rows["field"] == field], field)
        ax.set_yscale("log")
        depth_axis(ax, rows["depth"])
    axes[0].set_ylabel(r"distance $\max_n |x_n - x(n/N)|$")
    _order(axes[0], rows[rows["field"] == "smooth"])
    axes[2].set_ylim(0.3, 10)
    note(axes[2], r"the network rests, the ODE moves by 1; bound $\pi$", "upper left")
    return finish(figure, recipe)


def _curves(ax: Axes, rows: pd.DataFrame, field: str) -> None:
    if rows.empty:
        return
    name, colour = FIELDS[field]
    spread(ax, rows, "depth", "distance", colour=colour, label=name)
    bound, above = (f"{name}: bound", colour) if field not in ATTAINED else ("bound, attained", BLACK)
    spread(ax, rows, "depth", "bound", colour=above, label=bound, line="--", marker="")


def _order(ax: Axes, smooth: pd.DataFrame) -> None:
    """A line of slope -1 below the curve of the smooth weights."""
    if smooth["depth"].nunique() > 1:
        first, last = float(smooth["depth"].min()), float(smooth["depth"].max())
        height = float(smooth.loc[smooth["depth"] == first, "distance"].median())
        reference_slope(ax, (first, last), -1, (first, height / 4), r"$\propto 1/N$")
