"""Test loss at the end of training and the best on the way, by init scale, and the distance from the lazy limit.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), Figure 1c.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, over_units, per_seed
from resodectl.drawing.axes import log_axis, spread
from resodectl.drawing.colours import BLUE, GREY, ORANGE
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import last
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.lazy.init_scale.spec import Params

PER_MILLE = 1000  # the unit of losses in the paper's figure


def measure_test_loss(rows: pd.DataFrame) -> Estimate:
    """1000 times the test loss at the last of the rows' steps, mean over seeds."""
    return per_seed(last(rows, "step"), lambda own: PER_MILLE * float(own["test_loss"].mean()))


def measure_ratio(rows: pd.DataFrame, *, large: Literal["end", "best"] = "end") -> Estimate:
    """The test loss at the largest init scale over that at the smallest, geometric mean over seeds.

    Both are those at the last of the rows' steps; with `best`, at the largest init scale it is the lowest on the way.
    """

    def of_seed(own: pd.DataFrame) -> float:
        losses = _by_scale(own, "test_loss")
        top = losses.iloc[:, -1]
        return float(np.log((top.min() if large == "best" else top.iloc[-1]) / losses.iloc[-1, 0]))

    return _exponential(over_units(of_seed(own) for _, own in rows.groupby("seed")))


def measure_best_over_end(rows: pd.DataFrame) -> Estimate:
    """The lowest test loss on the way over that at the last of the rows' steps, mean over seeds."""

    def of_seed(own: pd.DataFrame) -> float:
        losses = own.sort_values("step")["test_loss"].to_numpy()
        return float(losses.min() / losses[-1])

    return per_seed(rows, of_seed)


def measure_further_rise(rows: pd.DataFrame) -> Estimate:
    """(l_3 - l_2) / (l_2 - l_1) of the last test losses at three init scales in rising order, mean over seeds.

    NaN if an init scale is missing.
    """

    def of_seed(own: pd.DataFrame) -> float:
        losses = _by_scale(own, "test_loss").iloc[-1]
        if len(losses) < 3:
            return np.nan
        first, second, third = losses
        return float((third - second) / (second - first)) if second != first else np.nan

    return per_seed(rows, of_seed)


def measure_train_loss_left(rows: pd.DataFrame) -> Estimate:
    """The training loss at the last of the rows' steps over that at the first, mean over seeds."""

    def of_seed(own: pd.DataFrame) -> float:
        losses = own.sort_values("step")["train_loss"]
        return float(losses.iloc[-1] / losses.iloc[0])

    return per_seed(rows, of_seed)


def measure_lazy_error(rows: pd.DataFrame) -> Estimate:
    """The largest relative difference over steps of a network's test loss from its lazy limit's, mean over seeds."""
    return per_seed(_errors(rows), lambda own: float(own["error"].to_numpy().max()))


def draw_scales(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """The test loss by init scale: end, best on the way, and lazy limit; the distance from the lazy limit."""
    rows = log["curves"].assign(shown=PER_MILLE * log["curves"]["test_loss"])
    figure, axes = panels(1, 2, panel=(4.8, 3.7))
    network, lazy = (rows[rows["model"] == model] for model in ("network", "lazy"))
    best = network.groupby(["init_scale", "seed"])["shown"].min().reset_index()
    marker = "o" if len(recipe.params.init_scales) < 12 else ""
    looks = (
        (last(network, "step"), BLUE, "-", "end of training"),
        (best, ORANGE, ":", "best throughout training"),
        (last(lazy, "step"), GREY, "--", "lazy limit, end, closed form"),
    )
    for own, colour, line, label in looks:
        points = colour != GREY
        spread(axes[0], own, "init_scale", "shown", colour=colour, label=label, line=line, centre="mean",
               marker=marker if points else "", points=points)  # fmt: skip
    axes[0].set(xscale="log", xlabel=r"init scale $\tau$", ylabel="1000 x test loss", title="test loss", ylim=(0, None))
    errors = _errors(rows).groupby(["init_scale", "seed"])["error"].max().reset_index()
    spread(axes[1], errors, "init_scale", "error", colour=BLUE, marker=marker, centre="mean")
    axes[1].set(xscale="log", xlabel=r"init scale $\tau$", ylabel="largest relative difference")
    axes[1].set_title("test loss against its lazy limit, over all steps")
    log_axis(axes[1])
    return finish(figure, recipe)


def _by_scale(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """A column of one seed's rows: a row a step and a column an init scale, both rising."""
    return rows.pivot(index="step", columns="init_scale", values=column).sort_index().sort_index(axis=1)


def _errors(rows: pd.DataFrame) -> pd.DataFrame:
    """|l / l_lazy - 1| of each init scale, seed and step."""
    losses = rows.pivot(index=["init_scale", "seed", "step"], columns="model", values="test_loss")
    losses = losses.reindex(columns=["network", "lazy"])
    return (losses["network"] / losses["lazy"] - 1).abs().rename("error").reset_index()


def _exponential(of: Estimate) -> Estimate:
    ends: Callable[[float], float] = np.exp
    return Estimate(ends(of.value), ends(of.low), ends(of.high), of.units, of.method)
