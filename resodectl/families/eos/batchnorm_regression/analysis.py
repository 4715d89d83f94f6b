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
from resodectl.drawing.axes import level, spread
from resodectl.drawing.colours import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import first_seed, in_order
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.eos.batchnorm_regression.spec import Params

TITLES = {"edge": "start at the edge", "plateau": "start with large weights"}
ARMS = {
    "none": (BLUE, "-"),
    "no-decay": (VERMILLION, "-"),
    "reduced-step": (BLACK, "--"),
    "linear-norm": (GREEN, "-"),
    "no-denominator": (ORANGE, ":"),
    "no-projection": (PURPLE, ":"),
    "double-time": (SKY, ":"),
}
LABELS = {"none": "weight decay", "no-decay": "no weight decay"}


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


def measure_edge_time(rows: pd.DataFrame) -> Estimate:
    """The time h l t at which the run reaches the edge, or else ends."""
    return per_seed(rows, lambda own: min(float(own["edge_time"].iloc[0]), float(own["time"].max())))


def measure_edge_delay(rows: pd.DataFrame) -> Estimate:
    """When the run reaches the edge (or else ends), minus when the decay of |w|^2 alone, from the first row on, brings
    it there: after log(2 / (lambda eta)) / 2 in the time of the step at that row.

    Between two rows the edge is found on a straight line of log(lambda eta / 2), which it is until there: no step of
    the log is lost.
    """

    def delay(own: pd.DataFrame) -> float:
        first = own.iloc[0]
        reached = min(float(first["edge_time"]), float(own["time"].max()))
        return reached - float(first["time"] - np.log(_ratio(own).iloc[0]) / (2 * first["step_factor"]))

    return per_seed(rows, delay)


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
    """A row of panels for each start, at its smallest decay: what the first seed does, and T of all seeds."""
    rows = _of_first_ablation(log["curves"], recipe)
    starts = [(start, own[own["decay"] == own["decay"].min()]) for start, own in rows.groupby("start", sort=True)]
    figure, axes = panels(len(starts), 4, panel=(3.2, 2.9))
    for place, (start, own) in enumerate(starts):
        train, test, sharpness, distance = axes[4 * place : 4 * place + 4]
        one = first_seed(own)
        train.set_title(f"{TITLES[str(start)]}: train loss")
        train.plot(one["step"], one["train_loss"], color=GREEN, linewidth=1.1, label="the first seed")
        train.set_yscale("log")
        test.set_title("test loss")
        spread(test, own, "step", "test_loss", colour=BLUE, marker="", label="median of the seeds")
        test.plot(one["step"], one["test_loss"], color=GREEN, linewidth=1)
        sharpness.set_title("$\\lambda$ and $2/\\eta_t$")
        _sharpness(sharpness, one, GREEN)
        distance.set_title("$T$ of all seeds")
        _distances(distance, own)
        for ax in (train, test, sharpness, distance):
            ax.set_xlabel("steps")
            ax.xaxis.set_major_locator(MaxNLocator(4))
    return finish(figure, recipe)


def draw_arms(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Train and test loss, ratio and T of the recipe's first run: with weight decay, without, and with a smaller step;
    medians over seeds with quartiles throughout."""
    run = recipe.params.runs[0]
    rows = log["curves"]
    rows = rows[(rows["start"] == run.start) & (rows["decay"] == run.decay)]
    rows = rows.assign(ratio=_ratio(rows))
    figure, (train, test, sharpness, ratio, distance) = panels(1, 5, panel=(2.8, 3.1))
    for ablation, own in in_order(rows, "ablation", recipe.params.ablations):
        colour, line = ARMS[ablation]
        columns = {train: "train_loss", test: "test_loss", sharpness: "sharpness", ratio: "ratio", distance: "distance"}
        for ax, column in columns.items():
            label = _label(ablation, own) if ax is train else None
            spread(ax, own, "step", column, colour=colour, label=label, line=line, marker="")
    level(ratio, 1.0, "edge of stability")
    titles = ("train loss", "test loss", "$\\lambda$", "$\\lambda\\,\\eta_t/2$", "$T$")
    for ax, title in zip((train, test, sharpness, ratio, distance), titles, strict=True):
        ax.set_title(title)
        ax.set_xlabel("steps")
        ax.set_yscale("log" if ax in (train, distance) else "linear")
        ax.xaxis.set_major_locator(MaxNLocator(4))
    return finish(figure, recipe)


def _of_first_ablation(rows: pd.DataFrame, recipe: Drawn[Params]) -> pd.DataFrame:
    """Of several ablations, the right run is drawn if there is one, else the first."""
    ablations = recipe.params.ablations
    return rows[rows["ablation"] == ("none" if "none" in ablations else ablations[0])]


def _label(ablation: str, rows: pd.DataFrame) -> str:
    if ablation == "reduced-step":
        return f"weight decay, step times {rows['step_factor'].min():g} before the edge"
    return LABELS.get(ablation, f"weight decay, {ablation}")


def _sharpness(ax: Axes, run: pd.DataFrame, colour: str) -> None:
    ax.plot(run["step"], run["sharpness"], color=colour)
    ax.plot(run["step"], run["threshold"], ":", color=VERMILLION, label="$2/\\eta_t$")
    ax.plot(run["step"], run["predicted_sharpness"], "--", color=BLACK, linewidth=1.1)
    floor = float((run["predicted_sharpness"] / (1 + run["predicted"] ** 2)).iloc[0])
    ax.axhline(floor, color=GREY, linewidth=0.9, label="$\\lambda_{min}$, minimum norm")
    highest = float(run["sharpness"].max())
    if np.isfinite(highest) and highest > 0:
        ax.set_ylim(0, 1.35 * highest)


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
