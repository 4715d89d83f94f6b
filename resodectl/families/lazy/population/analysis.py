"""How the population loss depends on the init scale, and the figure of it.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), Figure 2b.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, over_units
from resodectl.drawing.axes import log_axis, spread
from resodectl.drawing.colours import BLACK, GREY, SILVER
from resodectl.drawing.finish import finish
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.lazy.population.spec import Params

CONVERGING = (0.15, 0.5)  # init scales at which SGD has not converged in the paper, by its hatching


def measure_share(rows: pd.DataFrame) -> Estimate:
    """The loss over that of f = 0; mean over seeds.

    Raises:
        ValueError: a seed has several rows.
    """
    return over_units(_shares(rows))


def measure_log10_share(rows: pd.DataFrame) -> Estimate:
    """log10 of the loss over that of f = 0; mean over seeds.

    Raises:
        ValueError: a seed has several rows.
    """
    return over_units(np.log10(_shares(rows)))


def measure_ratio(rows: pd.DataFrame) -> Estimate:
    """The loss at one init scale over that at init scale 1 of the same seed; mean over seeds.

    Raises:
        ValueError: a seed has several rows of an init scale, or there are more than two of these.
    """
    of = rows.pivot(index="seed", columns="init_scale", values="population_loss")
    others = [scale for scale in of.columns if scale != 1]
    if len(others) > 1:
        raise ValueError("there are several init scales besides 1; select one")
    return over_units(of[others[0]] / of[1.0] if others and 1.0 in of.columns else [])


def _shares(rows: pd.DataFrame) -> pd.Series:
    if rows["seed"].duplicated().any():
        raise ValueError("a seed has several rows; select one init scale and one window")
    return rows["population_loss"] / rows["null_loss"]


def draw_population(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """The loss of the last steps by init scale, divided by the largest mean; the same in logarithms beside it."""
    params = recipe.params
    ends = max(params.window, params.steps // 2 // params.window * params.window), params.steps
    early, rows = (_until(log["losses"], end, params.averaged) for end in ends)
    largest = rows.groupby("init_scale")["population_loss"].mean().max()
    figure, axes = panels(1, 2, panel=(4.8, 3.7))
    for ax in axes:
        ax.axvspan(*CONVERGING, facecolor="none", edgecolor=SILVER, hatch="//", linewidth=0, zorder=0.5,
                   label="not yet converged in the paper")  # fmt: skip
        for of, colour, line, label in (
            (early, GREY, "--", f"until step {ends[0]}, mean"),
            (rows, BLACK, "-", f"until step {ends[1]}, mean"),
        ):
            shown = of.assign(shown=of["population_loss"] / largest)
            spread(ax, shown, "init_scale", "shown", colour=colour, line=line, label=label, centre="mean")
        ax.set_xscale("log")
        ax.set_xlabel("init scale $\\tau$")
        ax.set_ylabel("population loss / largest mean")
    axes[0].set_ylim(bottom=0)
    axes[0].set_title("as in the paper")
    log_axis(axes[1])
    axes[1].set_title("in logarithms")
    return finish(figure, recipe)


def _until(rows: pd.DataFrame, end: int, steps: int) -> pd.DataFrame:
    """The windows of some steps before an end, without the start itself."""
    return rows[(rows["step"] <= end) & (rows["step"] > max(0, end - steps))]
