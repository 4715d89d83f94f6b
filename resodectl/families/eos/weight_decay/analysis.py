"""What weight decay does to the spherical sharpness of a normalised network, and the figure that shows it.

Lyu, Li & Arora 2022 (arXiv 2206.07085), Figure 1: weight decay shrinks the weights, so that the effective step eta
grows; at the edge of stability, lambda = 2 / eta, the sharpness has to give way. Without it the norm of the weights
can only grow, for the gradient of a scale-invariant loss is orthogonal to them.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, over_units
from resodectl.drawing.axes import level, spread
from resodectl.drawing.colours import BLUE, GREEN, PURPLE, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import in_order
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.eos.weight_decay.spec import Params

COLOURS = (BLUE, VERMILLION, GREEN, PURPLE)  # of weight decays, from the smallest on


def measure_sharpness_ratio(rows: pd.DataFrame) -> Estimate:
    """The sharpness at the last record with the largest weight decay, over that with the smallest, seed by seed."""
    last = _at(rows, rows["step"].max(), "sharpness").unstack("weight_decay")
    return over_units(last.iloc[:, -1] / last.iloc[:, 0])


def measure_step_growth(rows: pd.DataFrame) -> Estimate:
    """How often the effective step has doubled from the first record to the last, the least of the weight decays."""
    growth = _at(rows, rows["step"].max(), "effective_step") / _at(rows, rows["step"].min(), "effective_step")
    return over_units(np.log2(growth.groupby("seed").agg(lambda values: values.min(skipna=False))))


def measure_edge_ratio(rows: pd.DataFrame) -> Estimate:
    """The median over records of lambda eta / 2, mean over weight decays."""
    ratios = rows.groupby(["seed", "weight_decay"])["edge_ratio"].agg(lambda values: values.median(skipna=False))
    return over_units(ratios.groupby("seed").mean())


def measure_train_accuracy(rows: pd.DataFrame) -> Estimate:
    """The share of right answers on the training images at the last record, the smallest of the weight decays."""
    return over_units(_at(rows, rows["step"].max(), "train_accuracy").groupby("seed").min())


def _at(rows: pd.DataFrame, step: int, column: str) -> pd.Series:
    return rows[rows["step"] == step].set_index(["seed", "weight_decay"])[column]


def draw_network(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Loss, accuracies, sharpness against the edge, and their ratio, against the step; a colour a weight decay."""
    rows = log["records"]
    figure, (loss, accuracy, sharpness, ratio) = panels(1, 4, panel=(3.6, 3.2))
    decays = sorted(rows["weight_decay"].unique())
    for (decay, own), colour in zip(in_order(rows, "weight_decay", decays), COLOURS, strict=False):
        edge = (2 / own["effective_step"]).groupby(own["step"]).median()
        spread(loss, own, "step", "train_loss", colour=colour, marker="", label=f"weight decay {decay:g}")
        spread(accuracy, own, "step", "test_accuracy", colour=colour, marker="")
        spread(accuracy, own, "step", "train_accuracy", line="--", colour=colour, marker="")
        spread(sharpness, own, "step", "sharpness", colour=colour, marker="")
        sharpness.plot(edge.index, edge, "--", color=colour, zorder=4)
        spread(ratio, own, "step", "edge_ratio", colour=colour, marker="")
    level(ratio, 1.0, "edge of stability")
    ratio.set_ylim(0, 2)
    accuracy.set_ylim(0, 1.03)
    for ax, title in (
        (loss, "train loss (nats)"),
        (accuracy, "test accuracy (dashed: train)"),
        (sharpness, "spherical sharpness (dashed: $2/\\eta_t$)"),
        (ratio, "sharpness $\\times\\ \\eta_t/2$"),
    ):
        ax.set_title(title)
        ax.set_xlabel("steps")
    loss.set_yscale("log")
    return finish(figure, recipe)
