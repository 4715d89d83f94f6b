"""How far the sharpness along normalised descent is from that along its limiting flow, and the figure of both.

Arora, Li & Panigrahi 2022 (arXiv 2205.09745).
"""

from collections.abc import Mapping
from itertools import cycle
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, per_seed
from resodectl.drawing.axes import note, spread
from resodectl.drawing.colours import BLACK, BLUE, ORANGE, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.eos.network_flow.spec import Params

CAP = 6.0  # of log10, where a loss explodes or is not finite
FLOOR = 1e-30  # of losses, before their logarithm is taken
COLUMNS = {
    "sharpness": "sharpness $\\lambda_1$ on $\\Gamma$",
    "loss": "training loss",
    "test_error": "test error (%)",
}
COLOURS = (VERMILLION, BLUE, ORANGE)  # of the rates, from the smallest on


def measure_deviation(rows: pd.DataFrame, *, statistic: Literal["max", "median"]) -> Estimate:
    """|lambda_1 on the path / lambda_1 on the flow - 1| at equal times: its largest or median value over time, and of
    the learning rates the one where that is worst."""

    def of_seed(both: pd.DataFrame) -> float:
        flow = both[both["path"] == "flow"].set_index("s")["sharpness"]
        paths = both[both["path"] == "normalised"].groupby("lr")
        found = [(own.set_index("s")["sharpness"] / flow - 1).abs() for _, own in paths]
        worst = [float(getattr(apart, statistic)(skipna=False)) for apart in found]
        return float(np.max(worst)) if worst else np.nan

    return per_seed(rows, of_seed)


def measure_fall(rows: pd.DataFrame) -> Estimate:
    """The sharpness at the end over that at the beginning, mean over the learning rates."""

    def of_seed(own: pd.DataFrame) -> float:
        paths = own.sort_values("s").groupby("lr")["sharpness"]
        return float(np.mean([path.iloc[-1] / path.iloc[0] for _, path in paths]))

    return per_seed(rows, of_seed)


def measure_log10_loss(rows: pd.DataFrame) -> Estimate:
    """log10 of the largest loss along the path, capped where it explodes."""

    def of_seed(own: pd.DataFrame) -> float:
        logs = np.log10(own["loss"].clip(lower=FLOOR).to_numpy())
        return float(np.nan_to_num(logs, nan=CAP, posinf=CAP).clip(max=CAP).max())

    return per_seed(rows, of_seed)


def draw_flow(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Sharpness, training loss and test error of both against s."""
    rows = log["curves"]
    figure, axes = panels(1, 3)
    for ax, (column, name) in zip(axes, COLUMNS.items(), strict=True):
        _paths(ax, rows, column, bands=column != "test_error")
        ax.set_title(name)
        ax.set_xlabel("$s=\\eta^2t/4$")
    axes[0].set_ylim(bottom=0)
    _log_losses(axes[1], rows)
    return finish(figure, recipe)


def _paths(ax: Axes, rows: pd.DataFrame, column: str, bands: bool) -> None:
    """Medians over seeds; bands of quartiles for all paths, or where they would hide each other for the flow alone."""
    lrs = sorted(lr for lr in rows["lr"].unique() if lr > 0)
    for lr, colour in zip(lrs, cycle(COLOURS), strict=False):
        own = rows[rows["lr"] == lr]
        label = f"normalised descent, $\\eta={lr:g}$"
        if bands:
            spread(ax, own, "s", column, colour=colour, label=label, marker="")
        else:
            medians = own.groupby("s")[column].median()
            ax.plot(medians.index, medians, color=colour, label=label, zorder=3)
    flow = rows[rows["path"] == "flow"]
    label = "flow of $-P\\,\\nabla\\log\\lambda_1$"
    spread(ax, flow, "s", column, colour=BLACK, label=label, line="--", marker="")


def _log_losses(ax: Axes, rows: pd.DataFrame) -> None:
    """A logarithmic axis for descent's losses; the flow's, which are zero up to rounding, are told in words."""
    losses = rows.loc[(rows["path"] == "normalised") & (rows["loss"] > 0), "loss"]
    if losses.empty:
        return
    ax.set_yscale("log")
    bottom, top = float(losses.min()) / 3, float(losses.max()) * 3
    flow = float(rows.loc[rows["path"] == "flow", "loss"].max())
    if flow < bottom:
        note(ax, f"on the flow at most {flow:.0e}", "lower left")
    ax.set_ylim(bottom, top)
