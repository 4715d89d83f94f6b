"""What untying and fine-tuning by the adjoint change, and the figure that stands for a table of before and after.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612), Table 2.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from resodectl.claims.estimate import Estimate, over_units
from resodectl.drawing.axes import spread
from resodectl.drawing.colours import BLUE, GREY, ORANGE, PURPLE
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import last
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.adjoint.untying.spec import Params

TRAINING = ["network", "gradient"]  # what tells the trainings of a recipe apart
FLOOR, CAP = 1e-12, 1e3  # losses are clipped to these before their logarithm is taken; NaN counts as CAP
LOOKS = {  # colour, line and name of every training
    ("tied", "backprop"): (GREY, "-", "tied, pretraining"),
    ("untied", "backprop"): (PURPLE, "-", "untied, fine-tuned by backprop"),
    ("untied", "adjoint"): (BLUE, "--", "untied, fine-tuned by the adjoint"),
    ("fresh", "backprop"): (ORANGE, "-", "not pretrained, backprop"),
    ("fresh", "adjoint"): (ORANGE, "--", "not pretrained, adjoint"),
}


def measure_loss_change(rows: pd.DataFrame, *, gradient: str) -> Estimate:
    """log10 of the training loss after fine-tuning by `gradient` over that after the tied pretraining."""
    return over_units(_change(rows.assign(value=_log_loss(rows)), gradient))


def measure_error_change(rows: pd.DataFrame, *, gradient: str) -> Estimate:
    """Test error after fine-tuning by `gradient` minus that after the tied pretraining, in per cent points."""
    return over_units(_change(rows.assign(value=rows["test_error"]), gradient))


def measure_loss_gap(rows: pd.DataFrame) -> Estimate:
    """log10 of the last epoch's training loss of fine-tuning by the adjoint over that by backpropagation."""
    end = last(rows.assign(value=_log_loss(rows)), "epoch", each=TRAINING)
    found = end.groupby(["seed", "gradient"])["value"].mean().unstack("gradient")
    both = found.reindex(columns=["adjoint", "backprop"])
    return over_units(both["adjoint"] - both["backprop"])


def measure_roughness(rows: pd.DataFrame) -> Estimate:
    """log10 of N rms(difference of neighbouring layers) / rms(layer); bounded in N for layers smooth in depth."""
    logs = np.log10(rows["roughness"].fillna(CAP).clip(FLOOR, CAP))
    return over_units(logs.groupby(rows["seed"]).mean())


def _change(rows: pd.DataFrame, gradient: str) -> pd.Series:
    """The last value of the other network, trained by `gradient`, minus that of the tied one, for every seed."""
    end = last(rows, "epoch", each=TRAINING)
    tied = end["network"] == "tied"
    after, before = end[~tied & (end["gradient"] == gradient)], end[tied]
    return after.groupby("seed")["value"].mean() - before.groupby("seed")["value"].mean()


def _log_loss(rows: pd.DataFrame) -> pd.Series:
    return np.log10(rows["train_loss"].fillna(CAP).clip(FLOOR, CAP))


def draw_finetuning(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Training loss and test error of the tied network and then of each fine-tuning, named with the last test error."""
    rows, untying = log["curves"], recipe.params.pretraining.epochs
    errors = last(rows, "epoch", each=TRAINING).groupby(TRAINING)["test_error"].mean()
    shifted = rows.assign(epoch=rows["epoch"] + np.where(rows["network"] == "tied", 0, untying))
    figure, axes = panels(1, 2, panel=(4.6, 3.6))
    for ax, column, unit in zip(axes, ("train_loss", "test_error"), ("nats", "%"), strict=True):
        for (network, gradient), (colour, line, name) in LOOKS.items():
            own = shifted[(shifted["network"] == network) & (shifted["gradient"] == gradient)]
            if own.empty:
                continue
            label = f"{name} (test error {errors[network, gradient]:.2f} %)"
            spread(ax, own, "epoch", column, colour=colour, label=label, line=line, centre="mean", marker="")
        ax.axvline(untying, color=GREY, linewidth=0.8, linestyle=":")
        if (rows[column] > 0).any():
            ax.set_yscale("log")
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_title(f"{column.replace('train_', 'training ').replace('_', ' ')} ({unit})")
    return finish(figure, recipe)
