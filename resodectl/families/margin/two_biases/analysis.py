"""Which of the two optima a run from large weights is near, and when; and the figure of both margins.

Chizat & Bach 2020 (arXiv 2002.04486).
"""

from collections.abc import Mapping
from typing import Literal

import pandas as pd
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, per_seed
from resodectl.drawing.axes import level, spread
from resodectl.drawing.colours import BLUE, GREY, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.margin.two_biases.spec import Params

Quantity = Literal["tangent", "tangent_best", "f1", "like_tangent"]


def measure_reached(rows: pd.DataFrame, *, quantity: Quantity) -> Estimate:
    """A normalised margin, or a cosine, at the last of the rows' steps, mean over seeds."""
    return per_seed(rows, lambda own: float(_last(own)[quantity]))


def measure_lost(rows: pd.DataFrame) -> Estimate:
    """How far the tangent margin ends below the largest one so far, negative ones taken for 0, mean over seeds."""

    def of_seed(own: pd.DataFrame) -> float:
        best, end = _last(own)[["tangent_best", "tangent"]].to_numpy(float).clip(min=0)
        return float(best - end)

    return per_seed(rows, of_seed)


def measure_share_like_f1(rows: pd.DataFrame) -> Estimate:
    """The share of seeds whose classifier, at the last of the rows' steps, is more like the F1 optimum."""
    return per_seed(rows, lambda own: float(_last(own)["like_f1"] > _last(own)["like_tangent"]))


def _last(rows: pd.DataFrame) -> pd.Series:
    return rows.sort_values("step").iloc[-1]


def draw_two_biases(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Both normalised margins against the step, and the likeness of the classifier to both optima."""
    rows = log["biases"]
    figure, axes = panels(1, 2, panel=(4.8, 3.6))
    for ax, tangent, f1 in ((axes[0], "tangent", "f1"), (axes[1], "like_tangent", "like_f1")):
        for column, colour, label in ((tangent, BLUE, "tangent kernel"), (f1, VERMILLION, "variation norm F1")):
            spread(ax, rows, "step", column, colour=colour, label=label, marker="")
        for end in rows.groupby("stage")["step"].max().sort_index().iloc[:-1]:
            ax.axvline(end, linestyle=":", color=GREY, linewidth=1.1, label="longer steps from here")
        ax.set(xscale="log", xlabel="step")
    level(axes[0], 1.0, "largest possible margin")
    axes[0].set(ylim=(-0.05, 1.05), ylabel="margin / largest possible", title="normalised margins")
    axes[1].set(ylim=(0.75, 1.005), ylabel="cosine with the exact optimum", title="classifiers on the square")
    return finish(figure, recipe)
