"""Levels, slopes and laws of the norms of untrained networks, and their figures against depth and as histograms.

Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929).
"""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from scipy import special

from resodectl.claims import estimate
from resodectl.claims.estimate import Estimate
from resodectl.drawing.axes import histogram, mean_with_interval, note
from resodectl.drawing.colours import BLACK, BLUE, ORANGE, SILVER, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import last
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.scaling.initial_norms.spec import Params
from resodectl.numerics.laws import correlations
from resodectl.numerics.laws.residual_norms import Norm, first_order_change, log_normal_limit, mean_square_change

SYMBOLS: dict[Norm, tuple[str, str]] = {
    "output": (r"$\|h_L - h_0\| \,/\, \|h_0\|$", r"$\|h_L\| \,/\, \|h_0\|$"),
    "gradient": (r"$\|p_0 - p_L\| \,/\, \|p_L\|$", r"$\|p_0\| \,/\, \|p_L\|$"),
}
SMALL = 0.5  # up to here a first-order law is drawn
BINS = 60
HEAVY = 3.0  # times the median: a larger root mean square takes a logarithmic axis
TOP = 1.15  # of the vertical axis, in units of the largest value


def measure_rms(rows: pd.DataFrame, *, norm: Norm) -> Estimate:
    """The root mean square of the relative change: seeds are averaged as squares, which have an exact law."""
    return _root(estimate.per_seed(rows, lambda of_seed: float(np.mean(of_seed[f"{norm}_change"] ** 2))))


def measure_rms_over_law(rows: pd.DataFrame, *, norm: Norm) -> Estimate:
    """The root mean square over that of the exact law for independent layers, all depths taken together."""

    def of_seed(own: pd.DataFrame) -> float:
        law = mean_square_change(own["depth"], float(own["exponent"].iloc[0]))
        return float(np.mean(own[f"{norm}_change"] ** 2 / law))

    return _root(estimate.per_seed(rows, of_seed))


def measure_mean(rows: pd.DataFrame, *, norm: Norm) -> Estimate:
    """The mean relative change."""
    return estimate.per_seed(rows, lambda of_seed: float(of_seed[f"{norm}_change"].mean()))


def measure_median(rows: pd.DataFrame, *, norm: Norm) -> Estimate:
    """The median relative change of a seed, averaged over seeds as a logarithm to base 10: mild on heavy tails."""
    return estimate.per_seed(rows, lambda of_seed: float(np.log10(of_seed[f"{norm}_change"].median())))


def measure_depth_slope(rows: pd.DataFrame, *, norm: Norm) -> Estimate:
    """The power of the depth with which the root mean square of the relative change grows."""

    def of_seed(own: pd.DataFrame) -> float:
        squares = (own[f"{norm}_change"] ** 2).groupby(own["depth"]).mean()
        return estimate.loglog_slope(squares.index, squares) / 2

    return estimate.per_seed(rows, of_seed)


def measure_spread_over_depths(rows: pd.DataFrame, *, norm: Norm) -> Estimate:
    """(largest - smallest) / average of the mean relative changes at the depths: 0 if the depth does not matter."""

    def of_seed(own: pd.DataFrame) -> float:
        means = own.groupby("depth")[f"{norm}_change"].mean()
        return float((means.max() - means.min()) / means.mean())

    return estimate.per_seed(rows, of_seed)


def measure_log_mean(rows: pd.DataFrame, *, norm: Norm) -> Estimate:
    """The mean of the logarithm of the stretch."""
    return estimate.per_seed(rows, lambda of_seed: float(np.log(of_seed[f"{norm}_stretch"]).mean()))


def measure_log_std(rows: pd.DataFrame, *, norm: Norm) -> Estimate:
    """The standard deviation of the logarithm of the stretch."""
    return estimate.per_seed(rows, lambda of_seed: float(np.log(of_seed[f"{norm}_stretch"]).std()))


def measure_distance_to_log_normal(rows: pd.DataFrame, *, norm: Norm) -> Estimate:
    """The Kolmogorov-Smirnov distance of a seed's stretches to their limit law, log-normal; never 0 in a sample."""

    def of_seed(own: pd.DataFrame) -> float:
        mean, deviation = log_normal_limit(int(own["dim"].iloc[0]))
        below = special.ndtr((np.sort(np.log(own[f"{norm}_stretch"])) - mean) / deviation)
        ranks = np.arange(len(below) + 1) / len(below)
        return float(max(np.max(ranks[1:] - below), np.max(below - ranks[:-1])))

    return estimate.per_seed(rows, of_seed)


def draw_output(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """The relative change of the hidden state against depth, a panel for each exponent."""
    return _against_depth(log["norms"], recipe, "output")


def draw_gradient(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """The relative change of the gradient against depth, a panel for each exponent."""
    return _against_depth(log["norms"], recipe, "gradient")


def draw_histograms(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Histograms of the stretch of hidden state and gradient, with the log-normal limit law.

    Of the first exponent and the largest depth, where there are several; networks that overflow are left out.
    """
    rows = last(log["norms"], "depth")
    rows = rows[rows["exponent"] == recipe.params.exponents[0]]
    figure, axes = panels(1, len(SYMBOLS), sharey=True)
    stretches = rows[[f"{norm}_stretch" for norm in SYMBOLS]].to_numpy()
    kept = np.isfinite(stretches).all(axis=1)
    rows, finite = rows.loc[kept], stretches[kept]
    low, high = (finite.min(), finite.max()) if finite.size else (1.0, 2.0)
    edges = np.linspace(low, high, BINS + 1)
    mean, deviation = log_normal_limit(recipe.params.dim)
    x = np.linspace(edges[0], edges[-1], 400)
    law = np.exp(-((np.log(x) - mean) ** 2) / (2 * deviation**2)) / (x * deviation * math.sqrt(2 * math.pi))
    for ax, (norm, (_, symbol)) in zip(axes, SYMBOLS.items(), strict=True):
        label = "networks"
        histogram(ax, rows, f"{norm}_stretch", edges, colour=BLUE, label=label)
        ax.plot(x, law, color=BLACK, label="log-normal limit law")
        ax.set_title("hidden state" if norm == "output" else "gradient")
        ax.set_xlabel(symbol)
        found = np.log(rows[f"{norm}_stretch"])
        moments = (("networks", found.mean(), found.std()), ("limit law", mean, deviation))
        note(ax, "\n".join(["mean, std of log", *(f"{n}: {m:.4f}, {s:.4f}" for n, m, s in moments)]), "upper right")
    axes[0].set_ylabel("density")
    return finish(figure, recipe)


def _against_depth(rows: pd.DataFrame, recipe: Drawn[Params], norm: Norm) -> Figure:
    figure, axes = panels(1, len(recipe.params.exponents), panel=(3.6, 3.2))
    for ax, exponent in zip(axes, recipe.params.exponents, strict=True):
        own = rows[rows["exponent"] == exponent]
        depths, roots = _curves(ax, own, f"{norm}_change")
        name, law = _law(recipe.params, exponent, depths, norm)
        if name:
            ax.plot(depths, law, color=SILVER, linewidth=5, alpha=0.6, label=name, zorder=1)
        ax.set_title(rf"$\beta = {exponent:g}$")
        ax.set_xlabel("depth $L$")
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("e+0", "e")))
        if _heavy(own, f"{norm}_change"):
            ax.set_yscale("log")
        elif np.isfinite(roots).all():
            ax.set_ylim(0, TOP * roots.max())
    axes[0].set_ylabel(SYMBOLS[norm][0])
    return finish(figure, recipe)


def _heavy(rows: pd.DataFrame, change: str) -> bool:
    """Whether a few networks of the deepest dominate the root mean square, so that it hides all others."""
    deepest = rows.loc[rows["depth"] == rows["depth"].max(), change].to_numpy()
    root, median = np.mean(deepest**2) ** 0.5, np.median(deepest)
    return bool(np.isfinite(root) and median > 0 and root > HEAVY * median)


def _curves(ax: Axes, rows: pd.DataFrame, change: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean with its interval, as in the paper, median and root mean square; the depths, and the last one's values."""
    mean_with_interval(ax, rows, "depth", change, colour=BLUE, label="mean")
    medians = rows.groupby("depth", sort=True)[change].median()
    roots = (rows[change] ** 2).groupby(rows["depth"], sort=True).mean() ** 0.5
    ax.plot(medians.index, medians, ":", color=ORANGE, linewidth=2.2, label="median")
    ax.plot(roots.index, roots, "o", color=VERMILLION, markerfacecolor="none", label="root mean square", zorder=3)
    return roots.index.to_numpy(), roots.to_numpy()


def _law(params: Params, exponent: float, depths: np.ndarray, norm: Norm) -> tuple[str, np.ndarray]:
    """What theory says of the root mean square at each depth, and its name; no name where it says nothing."""
    if (params.architecture, params.activation) != ("res-3", "relu"):
        return "", np.empty(0)
    if params.weights in ("uniform", "gaussian"):
        return "exact law of the root mean square", np.sqrt(mean_square_change(depths, exponent))
    law = [first_order_change(_correlation(params, depth), exponent, norm, params.dim) for depth in depths]
    return ("first-order law of the root mean square" if max(law) < SMALL else ""), np.array(law)


def _correlation(params: Params, depth: int) -> correlations.Floats:
    """Of layers at the lags 0, ..., depth - 1, where they are correlated."""
    lags = np.arange(depth)
    if params.weights == "fbm":
        return correlations.fractional_noise(lags, params.hurst)
    if params.weights == "rbf_and_gaussian":
        return correlations.smooth_and_rough(lags, depth, params.length_scale, params.rough_share)
    smooth = correlations.smooth if params.weights == "rbf" else correlations.smooth_increments
    return smooth(lags, depth, params.length_scale)


def _root(square: Estimate) -> Estimate:
    """The square root of an estimate of something positive: an increasing function takes ends to ends."""
    value, low, high = (math.sqrt(max(end, 0.0)) for end in (square.value, square.low, square.high))
    return Estimate(value, low, high, square.units, square.method)
