"""Where sharpness stops, how the loss then behaves, and the figures of loss and sharpness against the step.

Cohen, Kaur, Li, Kolter & Talwalkar 2021 (arXiv 2103.00065).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, per_seed
from resodectl.drawing.axes import note, spread
from resodectl.drawing.colours import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import first_seed
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.eos.descent.spec import Params
from resodectl.numerics.laws.thresholds import gradient_threshold, nesterov_threshold, polyak_threshold

Rule = Literal["gradient", "polyak", "nesterov"]

THRESHOLDS: dict[Rule, Callable[[pd.Series, pd.Series], pd.Series]] = {
    "gradient": lambda lr, _: gradient_threshold(lr),
    "polyak": polyak_threshold,
    "nesterov": nesterov_threshold,
}
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE)
NAMES = {"gradient": "no momentum", "polyak": "Polyak", "nesterov": "Nesterov", "flow": "gradient flow"}
LAST = 0.1  # of the records: what the loss at the end is averaged over
HIGHEST = 0.99  # quantile of sharpness that the panels have room for
RUN = ["method", "run", "momentum", "lr"]  # what tells the curves of a panel apart
TOGETHER = 1e-9  # times that differ by less, relative to them, are equal


def measure_edge_ratio(rows: pd.DataFrame, *, threshold: Rule | None = None) -> Estimate:
    """The median of sharpness over its threshold: the method's own one, or that of another rule at the same lr."""
    ratios = rows["sharpness"] / (rows["threshold"] if threshold is None else _by_rule(rows, threshold))
    return per_seed(rows.assign(ratio=ratios), lambda own: float(np.median(own["ratio"])))


def measure_largest_ratio(rows: pd.DataFrame) -> Estimate:
    """The largest sharpness over its threshold."""
    return per_seed(rows, lambda own: float((own["sharpness"] / own["threshold"]).max(skipna=False)))


def measure_sharpening(rows: pd.DataFrame) -> Estimate:
    """The last sharpness over the first one."""
    return per_seed(_in_time(rows), lambda own: float(own["sharpness"].iloc[-1] / own["sharpness"].iloc[0]))


def measure_rises(rows: pd.DataFrame) -> Estimate:
    """The share of steps that raise the loss."""
    taken = rows[rows["step"] > 0]
    return per_seed(taken, lambda own: float(own["rises"].mean()))


def measure_loss_ratio(rows: pd.DataFrame) -> Estimate:
    """The mean loss of the last tenth of the records over the loss at the record where sharpness crosses."""

    def of_seed(own: pd.DataFrame) -> float:
        below = own[own["phase"] == "before"]
        if len(below) == len(own):
            return math.nan
        last = own["mean_loss"].iloc[-max(1, round(LAST * len(own))) :]
        return float(last.mean() / below["loss"].iloc[-1])

    return per_seed(_in_time(rows), of_seed)


def measure_distance_from_flow(rows: pd.DataFrame) -> Estimate:
    """The largest |log| of the ratio of descent's sharpness to that of gradient flow, at the times lr t > 0 that both
    have."""

    def of_seed(own: pd.DataFrame) -> float:
        timed = own.assign(time=own["step"] * own["lr"]).sort_values("time")
        flow, descent = (timed[timed["method"] == "flow"], timed[timed["method"] != "flow"])
        if flow.empty or descent.empty:
            return math.nan
        place = np.searchsorted(flow["time"].to_numpy(), descent["time"].to_numpy() * (1 - TOGETHER))
        nearest = flow.iloc[place.clip(max=len(flow) - 1)]
        common = np.isclose(nearest["time"].to_numpy(), descent["time"].to_numpy(), rtol=TOGETHER, atol=0)
        common &= descent["time"].to_numpy() > 0
        ratios = (descent["sharpness"].to_numpy() / nearest["sharpness"].to_numpy())[common]
        return float(np.abs(np.log(ratios)).max()) if len(ratios) else math.nan

    return per_seed(rows, of_seed)


def _by_rule(rows: pd.DataFrame, rule: Rule) -> pd.Series:
    return THRESHOLDS[rule](rows["lr"], rows["momentum"])


def _in_time(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values("step")


def draw_problems(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Loss above sharpness against the step, a column for each problem and a colour for each run."""
    rows = log["curves"]
    figure, axes = _columns([own for _, own in rows.groupby("problem", sort=False)])
    for ax, problem in zip(axes, rows["problem"].unique(), strict=False):
        kind, _, number = problem.rpartition("-")
        ax.set_title(f"$T_{{{number}}}$" if kind == "chebyshev" else f"{number} {kind}")
    return _finished(figure, axes, recipe)


def draw_methods(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Loss above sharpness against the step, a column for each run of a method; dotted, what 2/lr would be."""
    groups = [own for _, own in log["curves"].groupby(["problem", *RUN], sort=False)]
    figure, axes = _columns(groups)
    for upper, lower, own in zip(axes, axes[len(groups) :], groups, strict=False):
        method, beta, lr = (own[name].iloc[0] for name in ("method", "momentum", "lr"))
        upper.set_title(f"{NAMES[method]}, $\\eta = {lr:g}$" + (f", $\\beta = {beta:g}$" if beta else ""))
        if beta:
            lower.axhline(gradient_threshold(lr), linestyle=":", color=VERMILLION, linewidth=1.6, label="$2/\\eta$")
    return _finished(figure, axes, recipe)


def draw_flow(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Loss and sharpness of the first problem against the step, and against the time step x lr beside gradient flow."""
    rows = log["curves"].assign(time=log["curves"]["step"] * log["curves"]["lr"])
    rows = rows[rows["problem"] == rows["problem"].iloc[0]]
    figure, axes = panels(2, 2)
    flow, descent = rows[rows["method"] == "flow"], rows[rows["method"] != "flow"]
    for column, x in enumerate(("step", "time")):
        loss, sharpness = axes[column], axes[2 + column]
        _curves(loss, sharpness, descent, x)
        if column and len(flow):
            for ax, y in ((loss, "loss"), (sharpness, "sharpness")):
                _curve(ax, flow, x, y, BLACK, "gradient flow")
                ax.set_xlim(0, flow["time"].max())
        sharpness.set_xlabel("step" if x == "step" else "time, step $\\times\\ \\eta$")
    return _finished(figure, axes, recipe)


def _columns(groups: Sequence[pd.DataFrame]) -> tuple[Figure, list[Axes]]:
    """Loss above sharpness, a column for each group of rows."""
    figure, axes = panels(2, len(groups), panel=(3.6, 2.8), sharex=True)
    for loss, sharpness, own in zip(axes, axes[len(groups) :], groups, strict=False):
        _curves(loss, sharpness, own, "step")
        sharpness.set_xlabel("step")
    return figure, axes


def _curves(loss: Axes, sharpness: Axes, rows: pd.DataFrame, x: str) -> None:
    """A curve for each run in both panels, and its threshold in that of sharpness."""
    seen = float(rows["sharpness"].quantile(HIGHEST))
    runs = [own for _, own in rows.groupby(RUN, sort=False)]
    several = rows["method"].nunique() > 1
    for own, colour in zip(runs, cycle(COLOURS), strict=False):
        method, lr, threshold = (own[name].iloc[0] for name in ("method", "lr", "threshold"))
        name = f"{NAMES[method]}, " if several else ""
        label = f"{name}$\\eta = {lr:g}$, threshold {threshold:.3g}" if len(runs) > 1 else None
        _curve(loss, own, x, "loss", colour, label)
        _curve(sharpness, own, x, "sharpness", colour)
        if threshold < 1.3 * seen:
            sharpness.axhline(threshold, linestyle="--", color=colour, linewidth=1.2, zorder=3.5)
    loss.set_yscale("log")
    sharpness.set_ylim(0, 1.35 * seen if math.isfinite(seen) else None)
    lost = rows.loc[rows["diverged"], "seed"].nunique()
    if lost:
        note(loss, f"{lost} of {rows['seed'].nunique()} seeds diverged", "upper right")


def _curve(ax: Axes, rows: pd.DataFrame, x: str, y: str, colour: str, label: str | None = None) -> None:
    """The median over seeds as a line with a band of quartiles, and the first seed alone as a thin line."""
    spread(ax, rows, x, y, colour=colour, label=label, marker="")
    if rows["seed"].nunique() > 1:
        first = _in_time(first_seed(rows))
        ax.plot(first[x], first[y].where(np.isfinite(first[y])), color=colour, linewidth=0.6, alpha=0.7, zorder=2)


def _finished(figure: Figure, axes: list[Axes], recipe: Drawn[Params]) -> Figure:
    columns = len(axes) // 2
    axes[0].plot([], [], "--", color=GREY, label="threshold")
    axes[0].plot([], [], color=GREY, label="median of the seeds")
    axes[0].plot([], [], color=GREY, linewidth=0.6, label="the first seed alone")
    axes[0].set_ylabel("training loss")
    axes[columns].set_ylabel("sharpness $\\lambda_1$")
    return finish(figure, recipe)
