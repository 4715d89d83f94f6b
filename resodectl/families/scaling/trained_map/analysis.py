"""Where on the map networks train, and the figure of it.

Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929), Figure 9. The boundary that is drawn over it is that of networks
at initialisation, h_{k+1} = h_k + alpha V_k relu(h_k): while h hardly moves, E|h_L - h_0|^2 = alpha^2 L^2H
|relu(h_0)|^2, for the increments of fractional Brownian motion sum to a variance of L^2H, and half of the squares of
h_0 pass the ReLU. Growth by that share all along, exp(alpha^2 L^2H / 2) - 1, reaches R^2 where
alpha^2 L^2H = 2 log(1 + R^2), that is at beta = H - log(2 log(1 + R^2)) / (2 log L). For every R this tends to beta = H
with the depth, but at 100 layers R = 10^6 lies 0.4 below R = 1: training by Adam copes with what is in between.
"""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims import estimate
from resodectl.claims.estimate import Estimate
from resodectl.drawing.axes import heat_map, spread
from resodectl.drawing.colours import BLACK, BLUE, SEQUENCE, SKY, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import in_order
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.scaling.trained_map.spec import Params

PLACE = ["data", "hurst", "beta"]
NAMES = {"digits": "digits", "mnist-10k": "10,000 images of MNIST", "mnist": "MNIST", "cifar10": "CIFAR-10"}
EXPLOSIONS = {0: ":", 6: "-"}  # powers of ten, and the lines that show where untrained networks reach them
CUTS = 3  # Hurst indices whose accuracies are drawn as curves


def measure_highest_accuracy(rows: pd.DataFrame) -> Estimate:
    """The test accuracy of a seed's best network, over all learning rates and places."""
    return estimate.per_seed(best(rows), lambda own: own["accuracy"].max())


def measure_lowest_accuracy(rows: pd.DataFrame) -> Estimate:
    """The test accuracy at a seed's worst place, with the learning rate that is best there."""
    return estimate.per_seed(best(rows), lambda own: own["accuracy"].min())


def measure_loss_along_hurst(rows: pd.DataFrame) -> Estimate:
    """How much test accuracy is lost from the smallest Hurst index to the largest, in the mean over the betas."""

    def of_seed(own: pd.DataFrame) -> float:
        along = own.groupby("hurst", sort=True)["accuracy"].mean()
        return float(along.iloc[0] - along.iloc[-1]) if len(along) > 1 else math.nan

    return estimate.per_seed(best(rows), of_seed)


def best(rows: pd.DataFrame) -> pd.DataFrame:
    """The accuracy with the best learning rate, for each seed and place."""
    return rows.groupby([*PLACE, "seed"], sort=True)["accuracy"].max().reset_index()


def boundary(hurst: np.ndarray, depth: int, times: float = 1.0) -> np.ndarray:
    """The beta where the output of an untrained network is `times` as far from its input as that is large."""
    return hurst - math.log(2 * math.log1p(times**2)) / (2 * math.log(depth))


def draw_map(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Test accuracy over H and beta, a panel for each data set; below, cuts through it with their spread."""
    rows = best(log["accuracies"])
    sets = in_order(rows, "data", NAMES)
    figure, axes = (
        panels(1, 2 * len(sets), panel=(4.5, 3.9)) if len(sets) == 1 else panels(2, len(sets), panel=(4.5, 3.7))
    )
    for column, (name, own) in enumerate(sets):
        above, below = axes[column], axes[len(sets) + column]
        mesh = heat_map(above, own, "hurst", "beta", "accuracy", colours=SEQUENCE, ends=(0, 1))
        above.set_xlabel("Hurst index $H$ of the initial weights")
        above.set_ylabel("scaling exponent $\\beta$")
        _boundaries(above, own, recipe.params.depth)
        above.set_title(f"{NAMES[name]}, {recipe.params.depth} layers")
        figure.colorbar(mesh, ax=above, label="test accuracy, best learning rate")
        _cuts(below, own)
    return finish(figure, recipe)


def _boundaries(ax: Axes, rows: pd.DataFrame, depth: int) -> None:
    """Where untrained networks explode a little and a lot: at finite depth, Adam trains some way beyond the first."""
    ends = ax.get_xlim(), ax.get_ylim()
    hurst = np.array(ends[0])
    for power, line in EXPLOSIONS.items():
        label = (
            "untrained: $|h_L - h_0| = "
            + (f"10^{{{power}}}\\," if power else "")
            + "|h_0|$ (continued first-order law)"
        )
        ax.plot(hurst, boundary(hurst, depth, 10.0**power), color=BLACK, linewidth=3)
        ax.plot(hurst, boundary(hurst, depth, 10.0**power), line, color="white", linewidth=1.6)
        ax.plot([], [], line, color=BLACK, linewidth=1.6, label=label)
    ax.set_xlim(ends[0])
    ax.set_ylim(ends[1])


def _cuts(ax: Axes, rows: pd.DataFrame) -> None:
    hursts = np.sort(rows["hurst"].unique())
    chosen = hursts[np.unique(np.linspace(0, len(hursts) - 1, CUTS).round().astype(int))]
    for hurst, colour in zip(chosen, (SKY, BLUE, VERMILLION), strict=False):
        label = f"$H = {hurst:.2g}$"
        spread(ax, rows[rows["hurst"] == hurst], "beta", "accuracy", colour=colour, label=label, centre="mean")
    ax.set_ylim(0, 1)
    ax.set_title("cuts, with all repetitions")
    ax.set_xlabel("scaling exponent $\\beta$")
    ax.set_ylabel("test accuracy")
