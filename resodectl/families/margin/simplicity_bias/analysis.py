"""How many runs end as a single neuron, against the scale of the start and the width, and what its signs predict.

Lyu, Li, Wang & Arora 2021 (arXiv 2110.13905).
"""

import math
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from resodectl.claims.estimate import Estimate, over_units, per_seed
from resodectl.drawing.axes import dots, level, log_axis_at, spread
from resodectl.drawing.colours import BLACK, BLUE, CYCLE, GREEN, GREY, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import in_order
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.margin.simplicity_bias.spec import NEAR, Growth, Params

BEST = 0.95  # of the certified best, which runs approach slowly
NAMES = {"positive": "positive support vectors", "hinted": "hinted", "symmetric": "symmetric"}


def measure_single_share(rows: pd.DataFrame) -> Estimate:
    """The share of runs, over scales and widths, whose margin is within a tenth of that of the best single neuron."""
    return over_units(_share(of_start, _single(of_start)) for of_start in _starts(rows))


def measure_best_share(rows: pd.DataFrame) -> Estimate:
    """The share of runs, over scales and widths, that have more than 0.95 of the certified largest margin."""
    return over_units(_share(of_start, of_start["of_best"] > BEST) for of_start in _starts(rows))


def measure_decided_share(rows: pd.DataFrame) -> Estimate:
    """The share of runs, over scales and widths, that have reached one of the two margins."""
    return over_units(_share(of_start, _single(of_start) | (of_start["of_best"] > BEST)) for of_start in _starts(rows))


def measure_log10_critical_scale(rows: pd.DataFrame) -> Estimate:
    """log10 of the scale up to which runs end as a single neuron, between two scales, mean over starts.

    Of as many scales as have such runs; the smallest or largest scale where none or all have.
    """

    def critical(of_start: pd.DataFrame) -> float:
        if of_start["of_neuron"].isna().any():
            return math.nan
        scales = np.sort(np.log10(of_start["scale"]))
        count = int(_single(of_start).sum())
        return float((scales[max(count - 1, 0)] + scales[min(count, len(scales) - 1)]) / 2)

    return over_units(critical(of_start) for of_start in _starts(rows))


def measure_right_share(rows: pd.DataFrame) -> Estimate:
    """The share of runs, over widths, whose outcome is the predicted one."""
    return over_units(of_start["right"].mean() for of_start in _starts(rows))


def measure_log_odds_slope(rows: pd.DataFrame) -> Estimate:
    """The slope of the logit of the share of neurons with a < 0 against the log of the scale, a seed at a time."""
    return per_seed(rows, lambda of_seed: float(np.polyfit(np.log(of_seed["scale"]), of_seed["log_odds"], 1)[0]))


def _starts(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The rows of each independent start, which scales and widths share."""
    return (own for _, own in rows.groupby(["seed", "copy"], sort=True))


def _share(rows: pd.DataFrame, there: pd.Series) -> float:
    """The share of rows where a condition holds; NaN if a run has diverged, so that its margin is not known."""
    return math.nan if rows["of_best"].isna().any() else float(there.mean())


def _single(rows: pd.DataFrame) -> pd.Series:
    return (rows["of_neuron"] - 1).abs() < NEAR


def draw_simplicity_bias(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Outcomes and their shares against the scale, the head start of the favoured sign, the law of the width."""
    params = recipe.params
    outcomes, predictions = log["outcomes"], log["predictions"]
    late = outcomes[outcomes["moment"] == "late"]
    count = 2 * bool(params.sweep) + bool(params.growth) + bool(params.signs)
    columns = min(2, count)
    figure, axes = panels(-(-count // columns), columns, panel=(4.6, 3.4))
    places = iter(axes)
    if params.sweep:
        own = late[late["part"] == "sweep"]
        _outcomes(next(places), own)
        _trapped(next(places), own)
    if params.growth:
        _head_start(next(places), outcomes[outcomes["moment"] == "grown"], params.growth)
    if params.signs:
        _widths(next(places), late[late["part"] == "signs"], predictions[predictions["part"] == "signs"])
    for ax in places:
        ax.remove()
    return finish(figure, recipe)


def _outcomes(ax: Axes, own: pd.DataFrame) -> None:
    log_axis_at(ax, own["scale"].unique(), "scale $\\sigma$ of the weights at the start")
    single = _single(own)
    for name, colour, kept in (("a single neuron", VERMILLION, single), ("more than one neuron", BLUE, ~single)):
        label: str | None = f"run that ends as {name}"
        for scale in own.loc[kept, "scale"].unique():
            dots(ax, scale, own.loc[kept & (own["scale"] == scale), "of_best"], colour=colour, label=label, width=0.7)
            label = None
    ax.axhspan(own["certified"].iloc[0], 1.0, color=GREEN, alpha=0.6, label="best network, between certified bounds")
    level(ax, (own["of_best"] / own["of_neuron"]).iloc[0], "best single neuron")
    ax.set(ylim=(0, 1.08), ylabel="margin / certified best")
    ax.set_title("runs end at one of two margins")


def _trapped(ax: Axes, own: pd.DataFrame) -> None:
    _shares(ax, own, "scale", VERMILLION)
    log_axis_at(ax, own["scale"].unique(), "scale $\\sigma$ of the weights at the start")
    ax.set_title("runs that end as a single neuron")


def _widths(ax: Axes, own: pd.DataFrame, predictions: pd.DataFrame) -> None:
    _shares(ax, own, "width", VERMILLION)
    widths = np.sort(own["width"].unique())
    ax.plot(widths, 2.0 ** (1 - widths), "--", color=BLACK, label="$2^{-(m-1)}$", zorder=2)
    predicted = predictions[predictions["rule"] == "amplitudes"].groupby("width")["single"].mean()
    ax.plot(predicted.index, predicted, "x", color=BLUE, label="predicted from the signs at the start", markersize=8)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("neurons $m$")
    ax.set_title(f"{own['data'].iloc[0]} points: neurons of one sign")


def _shares(ax: Axes, rows: pd.DataFrame, x: str, colour: str) -> None:
    """The share of single neurons at each x, with its 95 % interval over starts."""
    places = np.sort(rows[x].unique())
    shares = [measure_single_share(rows[rows[x] == place]) for place in places]
    middle, low, high = (np.array([getattr(share, end) for share in shares]) for end in ("value", "low", "high"))
    ax.errorbar(
        places, middle, [middle - low, high - middle], fmt="o", color=colour, capsize=3,
        label="share of single neurons, 95 % interval",
    )  # fmt: skip
    ax.set(ylim=(-0.04, 1.04), ylabel="share of runs")


def _head_start(ax: Axes, shares: pd.DataFrame, growth: Growth) -> None:
    for (data, own), colour in zip(in_order(shares, "data", growth.data), CYCLE, strict=False):
        spread(ax, own, "scale", "log_odds", colour=colour, label=NAMES.get(data, data), line=" ", points=False)
        scales = np.sort(own["scale"].unique())
        middle, height = np.exp(np.log(scales).mean()), own.groupby("scale")["log_odds"].median().mean()
        ax.plot(scales, height + own["predicted_slope"].iloc[0] * np.log(scales / middle), "--", color=GREY, zorder=2,
                label="predicted slope $2(1 - |\\mu_-| / |\\mu_+|)$")  # fmt: skip
    log_axis_at(ax, scales, "scale $\\sigma$ of the weights at the start")
    ax.set_ylabel("logit of the share with $a < 0$")
    ax.set_title(f"head start of $a > 0$ at $|\\theta| = {growth.norm:g}$")
