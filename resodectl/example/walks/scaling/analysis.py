"""How the mean square of the end grows with the depth, and the figure that shows it."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from resodectl.claims.estimate import Estimate, loglog_slope, per_seed
from resodectl.drawing.axes import depth_axis, log_axis, spread
from resodectl.drawing.colours import CYCLE
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import in_order
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn

from .spec import Params


def measure_slope(rows: pd.DataFrame) -> Estimate:
    """The slope of log mean square against log depth, a seed at a time: 1 - 2 beta in theory."""
    return per_seed(rows, lambda of_seed: loglog_slope(of_seed["depth"], of_seed["mean_square"]))


def measure_level(rows: pd.DataFrame) -> Estimate:
    """The mean square averaged over the depths, a seed at a time: 1 for beta = 1/2 in theory."""
    return per_seed(rows, lambda of_seed: of_seed["mean_square"].mean())


def draw_ends(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """The mean square of the end against the depth, a curve an exponent."""
    figure, (ax,) = panels(panel=(5.4, 3.4))
    curves = in_order(log["ends"], "exponent", recipe.params.exponents)
    for (exponent, rows), colour in zip(curves, CYCLE, strict=False):
        spread(ax, rows, "depth", "mean_square", colour=colour, label=rf"$\beta = {exponent:g}$")
    log_axis(ax)
    depth_axis(ax, recipe.params.depths, "number of steps $L$")
    ax.set_ylabel("mean square of the end")
    return finish(figure, recipe)
