"""What weight decay does to the spherical sharpness of a normalised network, and the figure that shows it.

Lyu, Li & Arora 2022 (arXiv 2206.07085), Figure 1: weight decay shrinks the weights, so that the effective step eta
grows; at the edge of stability, lambda = 2 / eta, the sharpness has to give way. Without it the norm of the weights
can only grow, for the gradient of a scale-invariant loss is orthogonal to them.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, over_units, per_seed
from resodectl.drawing.axes import level, spread
from resodectl.drawing.colours import BLUE, GREEN, PURPLE, VERMILLION, sequence
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import in_order
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.eos.weight_decay.spec import Params

Quantity = Literal["sharpness", "train_loss"]

COLOURS = (BLUE, VERMILLION, GREEN, PURPLE)  # of weight decays, from the smallest on


def measure_train_accuracy(rows: pd.DataFrame) -> Estimate:
    """The share of right answers on the training images, the smallest of all records and weight decays."""
    return over_units(rows.groupby("seed")["train_accuracy"].min())


def measure_step_growth(rows: pd.DataFrame) -> Estimate:
    """The rate in h l t at which log(effective step) grows from the first record to the last."""

    def rate(own: pd.DataFrame) -> float:
        first, last = own.iloc[0], own.iloc[-1]
        time = last["time"] - first["time"]
        return float(np.log(last["effective_step"] / first["effective_step"]) / time) if time > 0 else np.nan

    return per_seed(rows, rate)


def measure_edge_ratio(rows: pd.DataFrame) -> Estimate:
    """The median over records of lambda eta / 2, mean over weight decays."""
    ratios = rows.groupby(["seed", "weight_decay"])["edge_ratio"].agg(lambda values: values.median(skipna=False))
    return over_units(ratios.groupby("seed").mean())


def measure_largest_ratio(rows: pd.DataFrame) -> Estimate:
    """The largest lambda eta / 2 of all records."""
    return over_units(rows.groupby("seed")["edge_ratio"].agg(lambda values: values.max(skipna=False)))


def measure_left(rows: pd.DataFrame, *, of: Quantity) -> Estimate:
    """The sharpness or the training loss at the last record over that at the first."""
    return per_seed(rows, lambda own: float(own[of].iloc[-1] / own[of].iloc[0]))


def measure_sharpness_ratio(rows: pd.DataFrame) -> Estimate:
    """The sharpness at the last record with the largest weight decay, over that with the smallest, seed by seed."""
    last = _at_the_end(rows, "sharpness")
    return over_units(last.iloc[:, -1] / last.iloc[:, 0])


def measure_test_gain(rows: pd.DataFrame) -> Estimate:
    """The test accuracy at the last record with the largest weight decay, minus that with the smallest."""
    last = _at_the_end(rows, "test_accuracy")
    return over_units(last.iloc[:, -1] - last.iloc[:, 0])


def _at_the_end(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """A column at the last record: a row a seed, a column a weight decay, from the smallest on.

    NaN where there is a single weight decay: a run is not compared with itself.
    """
    last = rows[rows["step"] == rows["step"].max()].set_index(["seed", "weight_decay"])[column].unstack("weight_decay")
    return last if last.shape[1] > 1 else last * np.nan


def draw_network(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Loss, accuracies, sharpness against the edge, and their ratio, against h l t; a colour a weight decay."""
    rows = log["records"]
    figure, (loss, accuracy, sharpness, ratio) = panels(1, 4, panel=(3.6, 3.2))
    decays = sorted(rows["weight_decay"].unique())
    colours = COLOURS if len(decays) <= len(COLOURS) else sequence(len(decays))
    # In units of 1 / (h l), l the largest weight decay; without any, in steps.
    clock = "time" if rows["time"].max() > 0 else "step"
    for (decay, own), colour in zip(in_order(rows, "weight_decay", decays), colours, strict=False):
        own = own.assign(threshold=2 / own["effective_step"])
        edge = own.groupby(clock)["threshold"].median()
        spread(loss, own, clock, "train_loss", colour=colour, marker="", label=f"weight decay {decay:g}")
        spread(accuracy, own, clock, "test_accuracy", colour=colour, marker="")
        accuracies = own.groupby(clock)["train_accuracy"].median()
        accuracy.plot(accuracies.index, accuracies, "--", color=colour, linewidth=1.2)
        spread(sharpness, own, clock, "sharpness", colour=colour, marker="")
        sharpness.plot(edge.index, edge, "--", color=colour, zorder=4)
        spread(ratio, own, clock, "edge_ratio", colour=colour, marker="")
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
        ax.set_xlabel("$hlt$, with the largest $l$" if clock == "time" else "steps")
    loss.set_yscale("log")
    sharpness.set_yscale("log")
    return finish(figure, recipe)
