"""By how much methods lead others, and the table as a figure.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), Figure 3b.
"""

import math
from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, over_units
from resodectl.drawing.colours import BLUE, GREY, ORANGE
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import last
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.lazy.cnn_table.spec import Params

RANKS = ("standard", "random-features", "prior-features", "linearised")  # a method is compared with those after it
TABLE = (  # method, network, name, and the paper's training and test accuracy on CIFAR-10 in per cent
    ("linearised", "residual", "residual network, linearised", 55.0, 56.7),
    ("linearised", "plain", "plain network, linearised", 61.0, 61.7),
    ("prior-features", "none", "prior features", math.nan, 82.3),
    ("random-features", "none", "random features", math.nan, 84.2),
    ("standard", "plain", "plain network, standard", 99.9, 89.7),
    ("standard", "residual", "residual network, standard", 99.4, 91.0),
)


def measure_lead(rows: pd.DataFrame) -> Estimate:
    """The test accuracy of one of two methods minus that of the other, at their last records, mean over seeds.

    The standard network comes first, then random features, prior features and the linearised network.
    """
    of = last(rows, "epoch", each=["method", "network"]).pivot(index="seed", columns="method", values="test_accuracy")
    present = [method for method in RANKS if method in of]
    return over_units(of[present[0]] - of[present[1]] if len(present) == 2 else [math.nan])


def measure_accuracy(rows: pd.DataFrame) -> Estimate:
    """The test accuracy at the last record, mean over seeds; NaN if the rows are of several methods."""
    ended = last(rows, "epoch")
    several = len(ended[["method", "network"]].drop_duplicates()) > 1
    return over_units([math.nan] if several else ended.groupby("seed")["test_accuracy"].mean())


def draw_table(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """A line for each row of the table: accuracies of each seed, their means, and the paper's beside them."""
    ended = last(log["table"], "epoch", each=["method", "network"])
    figure, (ax,) = panels(panel=(7.4, 3.6))
    for place, (method, network, _, *published) in enumerate(reversed(TABLE)):
        own = ended[(ended["method"] == method) & (ended["network"] == network)]
        for column, colour, shift in (("train_accuracy", ORANGE, 0.17), ("test_accuracy", BLUE, -0.17)):
            name = "training" if column == "train_accuracy" else "test"
            first = place == 0
            values = 100 * own[column]
            ax.plot(values, [place + shift] * len(values), "o", color=colour, alpha=0.45, markersize=4,
                    markeredgewidth=0, label=f"{name}, one seed" if first else None)  # fmt: skip
            ax.plot([values.mean()], [place + shift], "|", color=colour, markersize=13, markeredgewidth=2.4,
                    label=f"{name}, mean" if first else None)  # fmt: skip
            paper = published[0] if column == "train_accuracy" else published[1]
            ax.plot([paper], [place + shift], "D", color=GREY, fillstyle="full" if shift < 0 else "none",
                    markersize=5, label=f"{name}, the paper's on CIFAR-10" if first else None)  # fmt: skip
    ax.set_yticks(range(len(TABLE)), [name for _, _, name, *_ in reversed(TABLE)])
    ax.set(xlabel="accuracy (%)", ylim=(-0.6, len(TABLE) - 0.4))
    return finish(figure, recipe)
