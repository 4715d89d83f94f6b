"""The period-two identities of descent whose step is too large, and the figure of loss, sharpness and stableness.

Arora, Li & Panigrahi 2022 (arXiv 2205.09745). Once a step of size eta only jumps to and fro along v_1,
- normalised descent has |g_t| + |g_{t+1}| = eta lambda_1, that is 1/S_t + 1/S_{t+1} = 1: the harmonic mean of S is 2;
  and sqrt(L_t) + sqrt(L_{t+1}) = eta sqrt(lambda_1 / 2);
- descent on sqrt(L) has sqrt(L_t) + sqrt(L_{t+1}) = eta lambda_1 / 2;
each up to a relative O(eta). If it jumps along another direction, or several with nearly the same curvature, the same
holds with its curvature, g^T H g / |g|^2, for lambda_1.
"""

from collections.abc import Callable, Mapping
from itertools import cycle
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, loglog_slope, over_units
from resodectl.drawing.axes import level, log_axis_at, note, plain_ticks, reference_slope, spread
from resodectl.drawing.colours import BLUE, CRIMSON, GREEN, NAVY, ORANGE, PURPLE, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import in_order
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.eos.stableness.spec import Params

Identity = Literal["stableness", "root_loss"]

RUN = ["algorithm", "lr", "seed"]
COLOURS = (VERMILLION, ORANGE, BLUE, GREEN, PURPLE)  # of learning rates, from the largest on
NAMES = {
    "normalised": "normalised descent on $L$",
    "square-root": "descent on $\\sqrt{L}$",
    "gradient": "descent on $L$",
}
HIGHEST = 4.0  # stableness that its panel has room for
TITLES = (
    "train loss",
    "$\\lambda_1$ (thin: $\\lambda_2$)",
    "stableness (mean $2/(1/S_t+1/S_{t+1})$)",
    "phase II: distance from the identities",
)


def measure_harmonic_mean(rows: pd.DataFrame) -> Estimate:
    """The harmonic mean of the stableness over all steps recorded, at the smallest learning rate."""
    finest = rows[rows["lr"] == rows["lr"].min()]
    return over_units(2 / _means(finest, "stableness"))


def measure_gap_per_rate(rows: pd.DataFrame, *, identity: Identity) -> Estimate:
    """How far an identity, averaged over the pairs of a run, is from 1, over the learning rate: the largest of the
    rates."""
    gaps = _gaps(rows, identity)
    return over_units(_largest(gaps / gaps.index.get_level_values("lr")))


def measure_gap_order(rows: pd.DataFrame, *, identity: Identity) -> Estimate:
    """The power of the learning rate with which the same distance vanishes."""
    gaps = _gaps(rows, identity).rename("gap").reset_index()
    return over_units(loglog_slope(own["lr"], own["gap"]) for _, own in gaps.groupby("seed"))


def measure_along_gradient(rows: pd.DataFrame, *, identity: Identity) -> Estimate:
    """An identity with the curvature along the gradient for lambda_1, over what it should be: the mean over pairs, at
    the learning rate where it is worst."""
    means = _means(rows, f"{identity}_along")
    return over_units(1 + _largest(means - 1, key=np.abs))


def measure_turn(rows: pd.DataFrame) -> Estimate:
    """The cosine of two gradients in a row: the mean over pairs, the largest of the rates."""
    return over_units(_largest(_means(rows, "turn")))


def measure_fall(rows: pd.DataFrame) -> Estimate:
    """The sharpness at the last pair over the largest of the run, the largest of the rates."""
    runs = paired(rows)["sharpness"].groupby(RUN)
    return over_units(_largest(runs.agg(_last) / runs.max()))


def measure_loss_fall(rows: pd.DataFrame) -> Estimate:
    """log10 of the loss at the last pair over that of the first step, the largest of the rates."""
    pairs = paired(rows)
    falls = pairs["train_loss"].groupby(RUN).agg(_last) / pairs["first_loss"].groupby(RUN).first()
    return over_units(np.log10(_largest(falls)))


def paired(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a pair of steps: averages of both, and the identities, over what they should be; NaN if either is.

    Every quantity on the minimisers is read as the average over two steps, for it alternates by O(lr).
    """
    key = [*RUN, "pair"]
    ordered = rows.sort_values([*key, "step"])
    second = ordered.duplicated(key)
    one, two = ordered[~second].set_index(key), ordered[second].set_index(key)
    lr = one.index.get_level_values("lr").to_numpy()
    of_root = one.index.get_level_values("algorithm") == "square-root"

    def expected(curvature: pd.Series) -> pd.Series:
        """What sqrt(L_t) + sqrt(L_{t+1}) is along a direction of this curvature."""
        return lr * (curvature / 2).where(of_root, np.sqrt(curvature.clip(lower=0) / 2))

    averages = {name: (one[name] + two[name]) / 2 for name in ("train_loss", "sharpness", "second", "rayleigh")}
    found = one[["step", "fraction", "turn"]].assign(first_loss=one["train_loss"], **averages)
    root = np.sqrt(one["train_loss"]) + np.sqrt(two["train_loss"])
    return found.assign(
        root=root,
        expected_root=expected(found["sharpness"]),
        stableness=1 / one["stableness"] + 1 / two["stableness"],
        root_loss=root / expected(found["sharpness"]),
        stableness_along=(one["gradient_norm"] + two["gradient_norm"]) / (lr * found["rayleigh"]),
        root_loss_along=root / expected(found["rayleigh"]),
    )


def _means(rows: pd.DataFrame, column: str) -> pd.Series:
    """The mean over the pairs of every run; NaN if one is."""
    return paired(rows)[column].groupby(RUN).agg(lambda values: values.mean(skipna=False))


def _gaps(rows: pd.DataFrame, identity: Identity) -> pd.Series:
    return (_means(rows, identity) - 1).abs()


def _largest(of_runs: pd.Series, key: Callable[[np.ndarray], np.ndarray] = np.asarray) -> pd.Series:
    """For every seed the value of its runs that is the largest, or has the largest key; NaN if one is."""

    def chosen(values: pd.Series) -> float:
        return float(values.iloc[np.argmax(key(values.to_numpy()))])  # the first NaN counts as the largest

    return of_runs.groupby("seed").agg(chosen)


def _last(values: pd.Series) -> float:
    return float(values.iloc[-1])


def draw_network(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """A row for each algorithm: loss, sharpness, stableness against the step, and the identities against the rate."""
    pairs = paired(log["steps"]).reset_index()
    algorithms = in_order(pairs, "algorithm", NAMES)
    figure, axes = panels(len(algorithms), len(TITLES), panel=(3.6, 2.9))
    lrs = sorted(pairs["lr"].unique(), reverse=True)
    for row, (algorithm, own) in enumerate(algorithms):
        loss, sharpness, stableness, gaps = axes[len(TITLES) * row :][: len(TITLES)]
        for lr, colour in zip(lrs, cycle(COLOURS), strict=False):
            of_rate = own[own["lr"] == lr]
            if len(of_rate):
                _curves(loss, sharpness, stableness, of_rate, f"$\\eta={lr:g}$", colour)
        level(stableness, 2.0, "theory (loss: from $\\lambda_1$)")
        stableness.set_ylim(0, HIGHEST)
        overshoot = (2 / own["stableness"]).groupby([own["lr"], own["step"]]).median().max()
        if overshoot > HIGHEST:
            note(stableness, f"overshoot to {overshoot:.2g}", "upper right")
        loss.set_yscale("log")
        loss.set_ylabel(NAMES[algorithm], fontsize=10.5)
        for ax in (loss, sharpness, stableness):
            ax.set_xscale("log")
            ax.set_xlabel("steps")
        _orders(gaps, log["steps"], algorithm)
    for ax, title in zip(axes, TITLES, strict=False):
        ax.set_title(title)
    return finish(figure, recipe)


def _curves(loss: Axes, sharpness: Axes, stableness: Axes, rows: pd.DataFrame, label: str, colour: str) -> None:
    rows = rows.assign(
        step=rows["step"] + 1,
        mean_loss=rows["root"].div(2).pow(2),
        expected_loss=rows["expected_root"].div(2).pow(2),
        harmonic=2 / rows["stableness"],
    )
    spread(loss, rows, "step", "mean_loss", colour=colour, marker="", label=label)
    expected = rows.groupby("step")["expected_loss"].median()
    loss.plot(expected.index, expected, "--", color=colour, linewidth=1.1, zorder=4)
    spread(sharpness, rows, "step", "sharpness", colour=colour, marker="")
    second = rows.groupby("step")["second"].median()
    sharpness.plot(second.index, second, color=colour, linewidth=0.7)
    spread(stableness, rows, "step", "harmonic", colour=colour, marker="")


def _orders(ax: Axes, rows: pd.DataFrame, algorithm: str) -> None:
    """Distance of the identities from 1 in the second half of the steps, with the power that theory gives."""
    late = rows[(rows["algorithm"] == algorithm) & (rows["fraction"] >= 0.5)]
    if algorithm == "normalised":
        gaps = _gaps(late, "stableness").rename("gap").reset_index()
        spread(ax, gaps, "lr", "gap", colour=NAVY, marker="s", label="sum of two $1/S$")
    gaps = _gaps(late, "root_loss").rename("gap").reset_index()
    spread(ax, gaps, "lr", "gap", colour=CRIMSON, label="sum of two $\\sqrt{L}$")
    middle = gaps.groupby("lr")["gap"].median()
    if len(middle) > 1 and np.isfinite(middle).all():
        ends = float(middle.index.min()), float(middle.index.max())
        reference_slope(ax, ends, 1.0, (ends[0], 0.7 * float(middle.iloc[0])), "$\\propto\\eta$")
    ax.set_yscale("log")
    plain_ticks(ax)
    log_axis_at(ax, middle.index, "learning rate $\\eta$")
