"""How the test loss depends on the width under both scalings, and the figure of it.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), Figure 2a, which shows a tenth of the loss.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, over_units
from resodectl.drawing.axes import depth_axis, dots, note
from resodectl.drawing.colours import BLACK, GREY
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import in_order, last
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.lazy.width.spec import Params

SHOWN = 0.1  # the paper's figure shows this part of the loss
CAP = 3  # of a logarithm of a ratio
CURVES = {"inverse-root": (BLACK, "scale $1/\\sqrt{m}$"), "inverse": (GREY, "scale $1/m$")}


def measure_loss(rows: pd.DataFrame, *, of: Literal["train_loss", "test_loss"]) -> Estimate:
    """A tenth of the loss, as in the figure; mean over seeds.

    Raises:
        ValueError: a seed has several rows.
    """
    if rows["seed"].duplicated().any():
        raise ValueError("a seed has several rows; select one scaling, width and number of steps")
    return over_units(SHOWN * rows[of])


def measure_rise(rows: pd.DataFrame) -> Estimate:
    """A tenth of the test loss at the largest width minus that at the smallest; mean over seeds."""
    of = rows.pivot(index="seed", columns="width", values="test_loss")
    return over_units(SHOWN * (of[of.columns.max()] - of[of.columns.min()]))


def measure_left(rows: pd.DataFrame) -> Estimate:
    """The test loss after the most steps over that after the fewest; mean over seeds."""
    of = rows.pivot(index="seed", columns="step", values="test_loss")
    return over_units(of[of.columns.max()] / of[of.columns.min()])


def measure_log10_scaling_ratio(rows: pd.DataFrame) -> Estimate:
    """log10 of the test loss with the scale 1/m over that with 1/sqrt(m), from -3 to 3; mean over seeds."""
    of = rows.pivot(index="seed", columns="scaling", values="test_loss").reindex(columns=list(CURVES))
    return over_units(np.log10(of["inverse"] / of["inverse-root"]).clip(-CAP, CAP))


def draw_width(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """A tenth of the test loss at the end of training against the width: a dot a seed, and the mean."""
    rows = last(log["losses"], "step", each=["scaling", "width"]).assign(shown=lambda of: SHOWN * of["test_loss"])
    figure, (ax,) = panels(panel=(6.2, 3.9))
    depth_axis(ax, recipe.params.widths, "width $m$")
    for scaling, own in in_order(rows, "scaling", CURVES):
        colour, label = CURVES[scaling]
        for position, (width, of) in enumerate(in_order(own, "width", sorted(recipe.params.widths))):
            dots(ax, width, of["shown"], colour=colour, label=None if position else f"{label}, one seed")
        means = own.groupby("width")["shown"].mean()
        ax.plot(means.index.to_numpy(), means.to_numpy(), "-", color=colour, linewidth=2.2, label=f"{label}, mean")
    note(ax, f"$f=0$ has {SHOWN * rows['null_loss'].mean():.1f}", "upper right")
    ax.set_ylim(bottom=0)
    ax.set_ylabel("test loss / 10, half mean square")
    return finish(figure, recipe)
