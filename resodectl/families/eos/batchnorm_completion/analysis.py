"""What the edge of stability does to the test loss of matrix completion after the training loss has vanished.

Lyu, Li & Arora 2022 (arXiv 2206.07085).
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from resodectl.claims.estimate import Estimate, per_seed
from resodectl.drawing.axes import level, spread
from resodectl.drawing.colours import BLUE, GREEN, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import first_seed, in_order
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.eos.batchnorm_completion.spec import Params

Column = Literal["test_loss", "sharpness"]

ARMS = {
    "none": (BLUE, "weight decay"),
    "no-decay": (VERMILLION, "no weight decay"),
    "linear-norm": (GREEN, "weight decay, $|w|$ for $|w|^2$ in $\\eta$"),
}


def measure_left(rows: pd.DataFrame, *, of: Column) -> Estimate:
    """The test loss or the sharpness at the last step over that at the first."""
    return per_seed(rows, lambda own: float(own[of].iloc[-1] / own[of].iloc[0]))


def measure_change(rows: pd.DataFrame, *, of: Column) -> Estimate:
    """The largest relative change of the test loss or the sharpness since the first of the rows."""
    return per_seed(rows, lambda own: float((own[of] / own[of].iloc[0] - 1).abs().max()))


def measure_median_ratio(rows: pd.DataFrame) -> Estimate:
    """The median over time of spherical sharpness over 2 / eta."""
    return per_seed(rows, lambda own: float((own["sharpness"] / own["threshold"]).median()))


def measure_log10_train_loss(rows: pd.DataFrame) -> Estimate:
    """log10 of the largest training loss of the rows."""
    return per_seed(rows, lambda own: float(np.log10(own["train_loss"].max())))


def draw_losses(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Training and test loss, sharpness against 2 / eta of the first seed, and their ratio, all against steps."""
    rows = log["curves"]
    figure, (train, test, sharpness, ratio) = panels(1, 4, panel=(3.3, 3.1))
    for arm, own in in_order(rows, "ablation", ARMS):
        colour, label = ARMS[arm]
        own = own.assign(ratio=own["sharpness"] / own["threshold"])
        for ax, column in ((train, "train_loss"), (test, "test_loss"), (ratio, "ratio")):
            spread(ax, own, "step", column, colour=colour, label=label, marker="")
        one = first_seed(own)
        sharpness.plot(one["step"], one["sharpness"], color=colour)
        sharpness.plot(one["step"], one["threshold"], ":", color=colour)
    sharpness.plot([], [], ":", color="black", label="$2/\\eta_t$")
    train.set_yscale("log")
    test.set_yscale("log")
    highest = float(first_seed(rows)["sharpness"].max())
    if np.isfinite(highest) and highest > 0:
        sharpness.set_ylim(0, 2.2 * highest)
    level(ratio, 1.0, "edge of stability")
    titles = ("train loss", "test loss", "$\\lambda$ and $2/\\eta_t$, the first seed", "$\\lambda\\,\\eta_t/2$")
    for ax, title in zip((train, test, sharpness, ratio), titles, strict=True):
        ax.set_title(title)
        ax.set_xlabel("steps")
        ax.xaxis.set_major_locator(MaxNLocator(4))
    return finish(figure, recipe)
