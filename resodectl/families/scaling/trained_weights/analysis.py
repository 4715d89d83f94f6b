"""How rough in depth the layers are after training, and the figure that shows a weight along them.

Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929), Figure 8.
"""

from collections.abc import Mapping
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from resodectl.claims import estimate
from resodectl.claims.estimate import Estimate
from resodectl.drawing.axes import note, spread
from resodectl.drawing.colours import BLUE, GREEN, GREY, PURPLE, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import first_seed, last
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.scaling.trained_weights.spec import Params

NAMES = {"rbf": "smooth", "uniform": "iid", "gaussian": "iid Gaussian"}
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE)


def measure_roughness(rows: pd.DataFrame) -> Estimate:
    """mean |V_{k+1} - V_k|^2 / (2 mean |V_k|^2) after the last epoch: 1 for independent, near 0 for smooth layers."""
    return estimate.per_seed(last(rows, "epoch"), lambda own: own["roughness"].mean())


def measure_roughness_over_start(rows: pd.DataFrame) -> Estimate:
    """The roughness after the last epoch over that before the first: below 1 where training makes layers smoother."""

    def of_seed(own: pd.DataFrame) -> float:
        ends = [own.loc[own["epoch"] == epoch, "roughness"].mean() for epoch in (own["epoch"].max(), 0)]
        return float(ends[0] / ends[1])

    return estimate.per_seed(rows, of_seed)


def measure_lowest_accuracy(rows: pd.DataFrame) -> Estimate:
    """The test accuracy after the last epoch, of a seed's worst network."""
    return estimate.per_seed(last(rows, "epoch"), lambda own: own["accuracy"].min())


def draw_layers(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """One entry of V_k against the layer, a panel for each network; then the roughness in the course of training."""
    training, paths = log["training"], log["paths"]
    networks = list(training[["weights", "beta"]].drop_duplicates().itertuples(index=False, name=None))
    columns = min(2, len(networks))
    figure, axes = panels(-(-(len(networks) + 1) // columns), columns, panel=(4.6, 2.9))
    paths = first_seed(paths)
    for ax, colour, (weights, beta) in zip(axes, cycle(COLOURS), networks, strict=False):
        name = f"{NAMES[weights]}, $\\beta = {beta:g}$"
        _path(ax, _of(paths, weights, beta), colour)
        ax.set_title(name)
        along = _of(training, weights, beta)
        ends = [measure_roughness(along[along["epoch"] == epoch]).value for epoch in (0, along["epoch"].max())]
        note(ax, f"roughness {ends[0]:.2g} before, {ends[1]:.2g} after", "lower right")
        spread(axes[len(networks)], along, "epoch", "roughness", colour=colour, label=name, centre="mean", points=False)
    _roughness_axis(axes[len(networks)])
    for ax in axes[len(networks) + 1 :]:
        ax.remove()
    return finish(figure, recipe)


def _of(rows: pd.DataFrame, weights: str, beta: float) -> pd.DataFrame:
    return rows[(rows["weights"] == weights) & (rows["beta"] == beta)]


def _path(ax: Axes, rows: pd.DataFrame, colour: str) -> None:
    ax.plot(rows["layer"], rows["before"], color=GREY, linewidth=0.8, alpha=0.7, label="before training")
    ax.plot(rows["layer"], rows["after"], color=colour, linewidth=1.2)
    low, high = np.nanmin(rows[["before", "after"]]), np.nanmax(rows[["before", "after"]])
    if np.isfinite([low, high]).all():
        ax.set_ylim(low - 0.25 * (high - low) - 1e-9, high + 0.08 * (high - low) + 1e-9)  # room for the note
    ax.set_xlabel("layer $k$")
    ax.set_ylabel("a random entry of $V_k$")


def _roughness_axis(ax: Axes) -> None:
    ax.set_title("roughness: mean $|V_{k+1} - V_k|^2$ / (2 mean $|V_k|^2$)")
    ax.set_ylim(bottom=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("epochs of training")
    ax.set_ylabel("roughness")
