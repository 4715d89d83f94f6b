"""What untying and fine-tuning by the adjoint change, and the figure that stands for a table of before and after.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612), Table 2.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from resodectl.claims.estimate import Estimate, over_units
from resodectl.drawing.axes import log_axis, plain_ticks, spread
from resodectl.drawing.colours import BLUE, GREY, ORANGE, PURPLE
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import last
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.adjoint.untying.spec import Params

Loss = Literal["train_loss", "test_loss"]

TRAINING = ["network", "gradient"]  # what tells the trainings of a recipe apart
FLOOR, CAP = 1e-12, 1e3  # losses are clipped to these before their logarithm is taken; NaN counts as CAP
LOOKS = {  # colour, line and name of every training
    ("tied", "backprop"): (GREY, "-", "tied, pretraining"),
    ("untied", "backprop"): (PURPLE, "-", "untied, fine-tuned by backprop"),
    ("untied", "adjoint"): (BLUE, "--", "untied, fine-tuned by the adjoint"),
    ("fresh", "backprop"): (ORANGE, "-", "layers drawn anew, backprop"),
    ("fresh", "adjoint"): (ORANGE, "--", "layers drawn anew, adjoint"),
}


def measure_loss_change(rows: pd.DataFrame, *, gradient: str, loss: Loss) -> Estimate:
    """log10 of a loss after fine-tuning by `gradient` over that after the tied pretraining."""
    end = _ends(rows, loss)
    tied = end["network"] == "tied"
    after, before = (
        own.groupby("seed")["log"].mean() for own in (end[~tied & (end["gradient"] == gradient)], end[tied])
    )
    return over_units(after - before)


def measure_loss_gap(rows: pd.DataFrame) -> Estimate:
    """log10 of the last epoch's training loss of fine-tuning by the adjoint over that by backpropagation."""
    found = _ends(rows, "train_loss").groupby(["seed", "gradient"])["log"].mean().unstack("gradient")
    both = found.reindex(columns=["adjoint", "backprop"])
    return over_units(both["adjoint"] - both["backprop"])


def measure_roughness(rows: pd.DataFrame) -> Estimate:
    """log10 of N rms(difference of neighbouring layers) / rms(layer); bounded in N for layers smooth in depth."""
    logs = np.log10(rows["roughness"].fillna(CAP).clip(FLOOR, CAP))
    return over_units(logs.groupby(rows["seed"]).mean())


def _ends(rows: pd.DataFrame, loss: Loss) -> pd.DataFrame:
    """The last epoch's rows of each training, with the logarithm of a loss as column `log`."""
    end = last(rows, "epoch", each=TRAINING)
    return end.assign(log=np.log10(end[loss].fillna(CAP).clip(FLOOR, CAP)))


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
            marker = "o" if own["epoch"].nunique() == 1 else ""
            spread(ax, own, "epoch", column, colour=colour, label=label, line=line, centre="mean", marker=marker)
        log_axis(ax)
        ax.axvline(untying, color=GREY, linewidth=0.8, linestyle=":")
        if column == "test_error":
            plain_ticks(ax)
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_title(f"{column.replace('train_', 'training ').replace('_', ' ')} ({unit})")
    return finish(figure, recipe)
