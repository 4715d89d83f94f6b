"""Where normalised descent on a quadratic ends, how it gets there, and the figure that shows it.

Arora, Li & Panigrahi 2022 (arXiv 2205.09745), Figure 2.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator

from resodectl.claims.estimate import Estimate, exact, over_units
from resodectl.drawing.axes import level
from resodectl.drawing.colours import BLACK, BLUE, GREEN, GREY, SKY, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import first_seed
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.eos.quadratic.spec import Params

ROUNDING = 1e-9  # by which factors may fall short of one
FLOOR = 1e-16  # smaller differences are rounding
RANGE = 2.5  # of both axes in the picture of the sets


def measure_norm_error(rows: pd.DataFrame, *, norms: Sequence[float]) -> Estimate:
    """The largest distance of |xt(1)|, |xt(2)|, ... from given values."""
    path = first_seed(rows).set_index("step")["norm"]
    errors = [abs(path[step] - norm) for step, norm in enumerate(norms, start=1)]
    return exact(max(errors, default=np.nan), ROUNDING)


def measure_log10_pair_error(rows: pd.DataFrame) -> Estimate:
    """log10 of | |xt| + |xt'| - lambda_1 |, mean over starts; at least -16, where rounding begins."""
    return over_units(np.log10(rows["pair_error"].clip(lower=FLOOR)))


def measure_log10_pair_error_of_given(rows: pd.DataFrame) -> Estimate:
    """The same for a given start, where nothing is random: all seeds have the same rows."""
    return exact(float(np.log10(rows["pair_error"].clip(lower=FLOOR)).max()))


def measure_log10_misalignment(rows: pd.DataFrame) -> Estimate:
    """log10 of 1 - |cos| of the last iterate and v1, mean over starts; at least -16, where rounding begins."""
    return over_units(np.log10(rows["misalignment"].clip(lower=FLOOR)))


def measure_share_growing(rows: pd.DataFrame, *, to: Literal["next", "restricted"]) -> Estimate:
    """The share of starts for which |<v1, xt>| never falls from one chosen time to the next, or next chosen, time."""
    return over_units((rows[to] >= 1 - ROUNDING).where(rows[to].notna(), np.nan).astype(float))


def measure_share_staying(rows: pd.DataFrame) -> Estimate:
    """The share of starts whose iterates never leave a set that they are in."""
    return over_units((rows["escape"] <= 1 + ROUNDING).astype(float))


def draw_quadratic(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """|xt|, |<v1, xt>| and the invariant sets, for the paper's start."""
    rows = log["iterates"]
    rows = first_seed(rows[rows["kind"] == "given"]).sort_values("step")
    below = rows["norm"] <= rows["half_sharpness"]
    figure, axes = panels(1, 3, panel=(3.9, 3.6))
    _norms(axes[0], rows, below)
    _mark_published(axes[0], recipe)
    _along(axes[1], rows, below)
    _sets(axes[2], rows, below, recipe.params.eigenvalues)
    return finish(figure, recipe)


def _points(ax: Axes, x: pd.Series, y: pd.Series, below: pd.Series) -> None:
    ax.plot(x[~below], y[~below], "o", color=VERMILLION, label="$\\|\\tilde{x}_t\\|>\\lambda_1/2$", zorder=4)
    ax.plot(x[below], y[below], "o", color=BLUE, label="$\\|\\tilde{x}_t\\|\\leq\\lambda_1/2$", zorder=4)


def _norms(ax: Axes, rows: pd.DataFrame, below: pd.Series) -> None:
    ax.plot(rows["step"], rows["norm"], "-", color=GREY, linewidth=1)
    _points(ax, rows["step"], rows["norm"], below)
    level(ax, float(rows["half_sharpness"].iloc[0]), "$\\lambda_1/2$")
    ax.set_title("norm")
    ax.set_xlabel("step $t$")
    ax.set_ylabel("$\\|\\tilde{x}_t\\|$")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _along(ax: Axes, rows: pd.DataFrame, below: pd.Series) -> None:
    along = rows["first"].abs()
    ax.plot(rows["step"], along, "-", color=GREY, linewidth=1)
    ax.plot(rows["step"][below], along[below], "--", color=BLUE, linewidth=1.2, label="through the blue points")
    _points(ax, rows["step"], along, below)
    if (along > 0).any():
        ax.set_yscale("log")
    ax.set_title("along the top eigenvector")
    ax.set_xlabel("step $t$")
    ax.set_ylabel("$|\\langle v_1,\\tilde{x}_t\\rangle|$")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _sets(ax: Axes, rows: pd.DataFrame, below: pd.Series, eigenvalues: Sequence[float]) -> None:
    first, second = eigenvalues[0], eigenvalues[1]
    ax.axvspan(-second, second, color=GREEN, alpha=0.2, linewidth=0, label="$I_2$")
    ax.add_patch(Circle((0, 0), first, color=SKY, alpha=0.45, linewidth=0, label="$I_1$"))
    ax.add_patch(Circle((0, 0), first / 2, fill=False, color=GREY, linestyle="--"))
    ax.plot(rows["second"], rows["first"], "-", color=BLACK, linewidth=0.7)
    _points(ax, rows["second"], rows["first"], below)
    ax.set(xlim=(-RANGE, RANGE), ylim=(-RANGE, RANGE), aspect="equal")
    ax.set_title("invariant sets")
    ax.set_xlabel("$\\langle v_2,\\tilde{x}_t\\rangle$")
    ax.set_ylabel("$\\langle v_1,\\tilde{x}_t\\rangle$")


def _mark_published(ax: Axes, recipe: Drawn[Params]) -> None:
    """The norms that the recipe's claims take from the authors."""
    for claim in recipe.claims:
        if norms := claim.options.get("norms"):
            ax.plot(range(1, len(norms) + 1), norms, "x", color=BLACK, markersize=8, label="authors' values", zorder=5)
