"""What a large scale alpha does to trained networks, and the figure of accuracy and stability against alpha.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), Figure 3a.
"""

import math
from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, loglog_slope, over_units, per_seed
from resodectl.drawing.axes import log_axis, spread
from resodectl.drawing.colours import BLUE, GREEN, ORANGE, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import last
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.lazy.cnn.spec import Params


def measure_accuracy(rows: pd.DataFrame) -> Estimate:
    """The test accuracy at the last record, mean over seeds."""
    return _over_seeds(rows, "test_accuracy")


def measure_accuracy_lost(rows: pd.DataFrame) -> Estimate:
    """The test accuracy at the smallest alpha minus that at the largest, at the last record, mean over seeds."""
    of = _by_alpha(rows, "test_accuracy")
    return over_units(of[of.columns.min()] - of[of.columns.max()])


def measure_accuracy_range(rows: pd.DataFrame) -> Estimate:
    """The largest test accuracy over the alphas minus the smallest, at the last record, mean over seeds."""
    of = _by_alpha(rows, "test_accuracy")
    return over_units(of.max(axis=1, skipna=False) - of.min(axis=1, skipna=False))


def measure_stability(rows: pd.DataFrame) -> Estimate:
    """The share of ReLUs in the same state as at the start, at the last record, mean over seeds."""
    return _over_seeds(rows, "stability")


def measure_least_stability(rows: pd.DataFrame) -> Estimate:
    """The smallest share of ReLUs in the same state as at the start over the alphas, at the last record."""
    return over_units(_by_alpha(rows, "stability").min(axis=1, skipna=False))


def measure_movement(rows: pd.DataFrame) -> Estimate:
    """alpha |w - w0| at the last record, mean over seeds."""
    return _over_seeds(rows, "movement")


def measure_movement_range(rows: pd.DataFrame) -> Estimate:
    """The range of alpha |w - w0| over the alphas, relative to their mean, at the last record, mean over seeds."""
    of = _by_alpha(rows, "movement")
    return over_units((of.max(axis=1, skipna=False) - of.min(axis=1, skipna=False)) / of.mean(axis=1))


def measure_linearised_gap(rows: pd.DataFrame) -> Estimate:
    """The relative distance of the outputs from the linearised model's, at the last record, mean over seeds."""
    return _over_seeds(rows, "linearised_gap")


def measure_frozen_slope(rows: pd.DataFrame) -> Estimate:
    """The log-log slope against alpha of the distance of the frozen-gates model from the linearised one."""
    return per_seed(last(rows, "epoch"), lambda of_seed: loglog_slope(of_seed["alpha"], of_seed["frozen_gap"]))


def _over_seeds(rows: pd.DataFrame, column: str) -> Estimate:
    """The mean over seeds of a column of one alpha at the last record; NaN if there are several alphas."""
    of = _by_alpha(rows, column)
    return over_units(of.iloc[:, 0] if of.shape[1] == 1 else [math.nan])


def _by_alpha(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """The values at the last record, a row a seed and a column an alpha."""
    return last(rows, "epoch").pivot(index="seed", columns="alpha", values=column)


def draw_alphas(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Accuracies, stability of activations, and distances from the linearised model, against alpha."""
    rows = last(log["networks"], "epoch")
    percent = {name: 100 * rows[name] for name in ("train_accuracy", "test_accuracy", "stability")}
    rows = rows.assign(**percent)
    figure, axes = panels(1, 3, panel=(4.0, 3.3))
    for column, colour, label in (("train_accuracy", ORANGE, "training"), ("test_accuracy", BLUE, "test")):
        spread(axes[0], rows, "alpha", column, colour=colour, label=f"{label} accuracy", centre="mean")
    axes[0].set_ylabel("accuracy (%)")
    spread(axes[1], rows, "alpha", "stability", colour=GREEN, label="stability of activations", centre="mean")
    axes[1].set_ylabel("ReLUs as at the start (%)")
    for column, colour, label in (
        ("linearised_gap", VERMILLION, "network"),
        ("frozen_gap", BLUE, "network with frozen gates"),
    ):
        spread(axes[2], rows, "alpha", column, colour=colour, line="--" if "frozen" in label else "-", label=label)
    log_axis(axes[2])
    axes[2].set_ylabel("relative distance from $J u$")
    for ax, title in zip(axes, ("accuracy", "stability", "distance from the linearised model"), strict=True):
        _alpha_axis(ax)
        ax.set_title(title)
    return finish(figure, recipe)


def _alpha_axis(ax: Axes) -> None:
    ax.set_xscale("log")
    ax.set_xlabel(r"scale $\alpha$")
