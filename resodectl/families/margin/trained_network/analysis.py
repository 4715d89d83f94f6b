"""The order of normalised margins at equal loss and after equal time, and the figure of four curves against the epoch.

Wang, Meng, Chen & Liu 2021 (arXiv 2012.06244), MNIST study.
"""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, per_seed
from resodectl.drawing.axes import spread
from resodectl.drawing.colours import BLACK, BLUE, GREY, ORANGE, PURPLE, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import last
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.margin.trained_network.spec import Params

NAMES = {
    "adam": "Adam without momentum",
    "rmsprop": "RMSProp",
    "adagrad": "AdaGrad",
    "momentum": "SGD with momentum",
    "adam-momentum": "Adam",
    "scalar-adagrad": "AdaGrad, one step size",
}
COLOURS = {
    "adam": BLACK,
    "rmsprop": BLUE,
    "adagrad": VERMILLION,
    "momentum": ORANGE,
    "adam-momentum": PURPLE,
    "scalar-adagrad": GREY,
}
SUBJECTS = ("adagrad", "scalar-adagrad")  # which are compared with the other optimisers
DASHES = {"outside": "-", "inside": "--"}
RUN = ["optimiser", "epsilon_at"]


def measure_ratio_at_loss(rows: pd.DataFrame, *, loss: float) -> Estimate:
    """The margin of AdaGrad over the smallest other one, each where its loss first falls to `loss`.

    NaN if an optimiser does not get there.
    """
    return per_seed(rows, lambda own: _ratio(own.groupby("optimiser")[list(own)].apply(_margin_at, loss)))


def measure_ratio_at_end(rows: pd.DataFrame) -> Estimate:
    """The margin of AdaGrad over the smallest one of the other optimisers, at the last record."""
    return per_seed(rows, lambda own: _ratio(last(own, "epoch").set_index("optimiser")["margin"]))


def measure_inside_over_outside(rows: pd.DataFrame) -> Estimate:
    """The margin with epsilon inside the root over that with epsilon outside, at the last record."""

    def of_seed(own: pd.DataFrame) -> float:
        margins = last(own, "epoch").set_index("epsilon_at")["margin"].reindex(["inside", "outside"])
        return float(margins["inside"] / margins["outside"])

    return per_seed(rows, of_seed)


def measure_least_accuracy(rows: pd.DataFrame) -> Estimate:
    """The smallest training accuracy of the runs at the last record."""
    return per_seed(rows, lambda own: last(own, "epoch")["train_accuracy"].min(skipna=False))


def _margin_at(rows: pd.DataFrame, loss: float) -> float:
    """The margin of a run where its loss first falls to a value, linear in log loss between two records.

    At the first record below the value itself, optimisers whose losses fall fast would be further than the others.
    """
    ordered = rows.sort_values("epoch")
    reached = ordered["train_loss"].to_numpy() <= loss
    if not reached.any():
        return math.nan
    first = int(reached.argmax())
    two = ordered.iloc[max(first - 1, 0) : first + 1]
    heights = -np.log(two["train_loss"].to_numpy(dtype=float))
    return float(np.interp(-math.log(loss), heights, two["margin"].to_numpy(dtype=float)))


def _ratio(margins: pd.Series) -> float:
    """The margin of AdaGrad over the smallest other one, by optimiser; NaN where either is missing."""
    subject = [name for name in margins.index if name in SUBJECTS]
    others = margins.drop(subject).to_numpy(dtype=float)
    return float(margins[subject].item() / others.min()) if len(others) and len(subject) == 1 else math.nan


def draw_curves(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Accuracies, loss and normalised margin against the epoch; dashed with epsilon inside the root."""
    rows = log["records"]
    rows = rows[rows["optimiser"] != "scalar-adagrad"]
    rows = rows.assign(**{name: 100 * rows[name] for name in ("test_accuracy", "train_accuracy")})
    figure, axes = panels(2, 2, panel=(5.0, 3.2))
    columns = ("test_accuracy", "train_accuracy", "train_loss", "margin")
    for ax, column in zip(axes, columns, strict=True):
        for run in recipe.params.runs:
            own = rows[(rows["optimiser"] == run.optimiser) & (rows["epsilon_at"] == run.epsilon_at)]
            if len(own):
                label = NAMES[run.optimiser] if run.epsilon_at == "outside" else None
                spread(ax, own[own["epoch"] > 0], "epoch", column, colour=COLOURS[run.optimiser], label=label,
                       line=DASHES[run.epsilon_at], marker="")  # fmt: skip
        ax.set_xlabel("epoch")
    axes[0].plot([], [], DASHES["inside"], color=GREY, label="$\\epsilon$ inside the root")
    _accuracy(axes[0], rows, "test_accuracy", "test accuracy (%)")
    _accuracy(axes[1], rows, "train_accuracy", "training accuracy (%)")
    axes[2].set(ylabel="training loss", yscale="log")
    axes[3].set(ylabel="normalised margin")
    ended = last(rows, "epoch", each=RUN)["margin"]
    axes[3].set_ylim(-0.3 * ended.max(), 1.15 * ended.max())
    axes[3].axhline(0.0, color=GREY, linewidth=0.8)
    for ax in axes[1:3]:
        ax.set_xscale("log", base=2)
    return finish(figure, recipe)


def _accuracy(ax: Axes, rows: pd.DataFrame, column: str, label: str) -> None:
    """An axis for the last three quarters of training, not for where it begins; one per cent high at least."""
    late = rows.loc[rows["epoch"] >= rows["epoch"].max() / 4, column]
    top, low = float(late.max()), min(float(late.min()), float(late.max()) - 1)
    pad = 0.08 * (top - low)
    ax.set(ylabel=label, ylim=(low - pad, top + pad))
