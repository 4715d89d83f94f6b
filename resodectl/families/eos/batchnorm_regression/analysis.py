"""The way to the minimum-norm interpolator at the edge of stability, and the runs that do not get there.

Lyu, Li & Arora 2022 (arXiv 2206.07085). T = |null part| / |part along w*| falls like exp(-tau), tau = h l t.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from resodectl.claims.estimate import Estimate, per_seed
from resodectl.drawing.axes import spread
from resodectl.drawing.colours import BLACK, BLUE, GREEN, GREY, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import first_seed, in_order
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.eos.batchnorm_regression.spec import Params

TITLES = {"edge": "start at the edge", "plateau": "start with large weights"}
ARMS = {
    "none": (BLUE, "-", "weight decay"),
    "no-decay": (VERMILLION, "-", "no weight decay"),
    "reduced-step": (BLACK, "--", "step reduced before the edge"),
}


def measure_distance_rate(rows: pd.DataFrame) -> Estimate:
    """d log T / d tau, by least squares over the rows."""
    return per_seed(rows, lambda own: float(np.polyfit(own["time"], np.log(own["distance"]), 1)[0]))


def measure_distance_deviation(rows: pd.DataFrame) -> Estimate:
    """The largest relative deviation of T from that of the flow, in units of e = sqrt(2 h l)."""

    def deviation(own: pd.DataFrame) -> float:
        e = np.sqrt(2 * own["lr"] * own["decay"])
        return float(((own["distance"] / own["predicted"] - 1).abs() / e).max())

    return per_seed(rows, deviation)


def measure_sharpness_deviation(rows: pd.DataFrame) -> Estimate:
    """The largest relative deviation of the spherical sharpness from lambda_min (1 + T^2), T of the flow."""
    return per_seed(rows, lambda own: float((own["sharpness"] / own["predicted_sharpness"] - 1).abs().max()))


def measure_mean_ratio(rows: pd.DataFrame) -> Estimate:
    """The mean of spherical sharpness over 2 / eta."""
    return per_seed(rows, lambda own: float(_ratio(own).mean()))


def measure_largest_ratio(rows: pd.DataFrame) -> Estimate:
    """The largest spherical sharpness over 2 / eta."""
    return per_seed(rows, lambda own: float(_ratio(own).max()))


def measure_change_of_distance(rows: pd.DataFrame) -> Estimate:
    """The largest relative change of T since the first of the rows."""
    return per_seed(rows, lambda own: _change(own["distance"]))


def measure_change_of_test_loss(rows: pd.DataFrame) -> Estimate:
    """The largest relative change of the test loss since the first of the rows."""
    return per_seed(rows, lambda own: _change(own["test_loss"]))


def measure_sharpness_left(rows: pd.DataFrame) -> Estimate:
    """The last sharpness over the first."""
    return per_seed(rows, lambda own: float(own["sharpness"].iloc[-1] / own["sharpness"].iloc[0]))


def measure_final_distance(rows: pd.DataFrame) -> Estimate:
    """T at the end of the run."""
    return per_seed(rows, lambda own: float(own["distance"].iloc[-1]))


def measure_log10_null_error(rows: pd.DataFrame) -> Estimate:
    """log10 of the largest deviation of the null part from (1 - h l)^t times its start, relative to the latter."""
    return per_seed(rows, lambda own: float(np.log10(own["null_error"].max())))


def measure_log10_null_drift(rows: pd.DataFrame) -> Estimate:
    """log10 of the largest relative change of the null part since step 0."""
    return per_seed(rows, lambda own: float(np.log10(own["null_drift"].max())))


def draw_starts(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """A row of panels for each start: losses of a seed, its sharpness against 2 / eta, T of all seeds against exp."""
    rows = log["curves"]
    starts = [(start, own[own["decay"] == own["decay"].min()]) for start, own in rows.groupby("start", sort=True)]
    figure, axes = panels(len(starts), 4, panel=(3.2, 2.9))
    for place, (start, own) in enumerate(starts):
        train, test, sharpness, distance = axes[4 * place : 4 * place + 4]
        one = first_seed(own)
        train.set_title(f"{TITLES[str(start)]}: train loss")
        _line(train, one, "train_loss", BLUE, "the first seed")
        train.set_yscale("log")
        test.set_title("test loss")
        spread(test, own, "step", "test_loss", colour=BLUE, marker="", label="median over seeds")
        test.plot(one["step"], one["test_loss"], color=GREEN, linewidth=1, label="the first seed")
        sharpness.set_title("$\\lambda$ and $2/\\eta_t$")
        _sharpness(sharpness, one, GREEN)
        distance.set_title("$T$ and $e^{-\\tau}$")
        _distances(distance, own)
        for ax in (train, test, sharpness, distance):
            ax.set_xlabel("steps")
            ax.xaxis.set_major_locator(MaxNLocator(4))
    return finish(figure, recipe)


def draw_arms(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Train and test loss, sharpness against 2 / eta and T: with weight decay, without, and with a smaller step."""
    rows = log["curves"]
    figure, (train, test, sharpness, distance) = panels(1, 4, panel=(3.3, 3.1))
    first = first_seed(rows)
    for arm, own in in_order(rows, "ablation", ARMS):
        colour, line, label = ARMS[arm]
        one = first[first["ablation"] == arm]
        train.plot(one["step"], one["train_loss"], line, color=colour, linewidth=1.1)
        for ax, column in ((test, "test_loss"), (distance, "distance")):
            spread(ax, own, "step", column, colour=colour, label=label, line=line, marker="")
        sharpness.plot(one["step"], one["sharpness"], line, color=colour)
        sharpness.plot(one["step"], one["threshold"], ":", color=colour)
    sharpness.plot([], [], ":", color=BLACK, label="$2/\\eta_t$")
    titles = ("train loss", "test loss", "$\\lambda$", "$T$")
    for ax, title in zip((train, test, sharpness, distance), titles, strict=True):
        ax.set_title(title)
        ax.set_xlabel("steps")
        ax.set_yscale("linear" if ax is test else "log")
        ax.xaxis.set_major_locator(MaxNLocator(4))
    highest = float(first["sharpness"].max())
    sharpness.set_ylim(0.2 * float(first["sharpness"].min()), 12 * highest)
    return finish(figure, recipe)


def _line(ax: Axes, rows: pd.DataFrame, column: str, colour: str, label: str | None) -> None:
    ax.plot(rows["step"], rows[column], color=colour, linewidth=1.1, label=label)
    ax.set_yscale("log")


def _sharpness(ax: Axes, run: pd.DataFrame, colour: str) -> None:
    ax.plot(run["step"], run["sharpness"], color=colour)
    ax.plot(run["step"], run["threshold"], ":", color=VERMILLION, label="$2/\\eta_t$")
    ax.plot(run["step"], run["predicted_sharpness"], "--", color=BLACK, linewidth=1.1)
    floor = float((run["predicted_sharpness"] / (1 + run["predicted"] ** 2)).iloc[0])
    ax.axhline(floor, color=GREY, linewidth=0.9, label="$\\lambda_{min}$, minimum norm")
    ax.set_ylim(0, 1.35 * float(run["sharpness"].max()))


def _distances(ax: Axes, rows: pd.DataFrame) -> None:
    label = "sharpness-reduction flow"
    for seed, run in rows.groupby("seed"):
        ax.plot(run["step"], run["distance"], color=BLUE, linewidth=2.2, alpha=0.35)
        ax.plot(run["step"], run["predicted"], "--", color=BLACK, linewidth=0.8,
                label=label if seed == rows["seed"].min() else None)  # fmt: skip
    ax.set_yscale("log")


def _ratio(rows: pd.DataFrame) -> pd.Series:
    return rows["sharpness"] / rows["threshold"]


def _change(values: pd.Series) -> float:
    return float((values / values.iloc[0] - 1).abs().max())
