"""Exponents, roughness, trend and noise of trained weights along the depth, and the figures that show them.

Cohen, Cont, Rossier & Xu 2021 (arXiv 2105.12245). One run a depth and seed; exponents are fitted a seed at a time.
"""

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, loglog_slope, per_seed
from resodectl.drawing.axes import level, plain_ticks
from resodectl.drawing.colours import BLUE, ORANGE, PURPLE, SKY, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.legend import legend_inside
from resodectl.drawing.rows import first_seed
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.scaling.weight_scaling.curves import (
    BETAS,
    NETWORKS,
    decomposed_curves,
    delta_curves,
    entry_curves,
    hypothesis_curves,
    kinds_of_networks,
    note_local_slopes,
    of_networks,
    rescaled,
    slope_beside,
    statistic_curve,
)
from resodectl.families.scaling.weight_scaling.spec import Params

Entry = Literal["matrix_entry", "bias_entry", "trace"]
Loss = Literal["trend_loss", "pair_loss"]
ENTRIES = {"matrix_entry": "$A_k$", "bias_entry": "$b_k$"}
GRID = 64  # places in (0, 1) where weights of several depths are compared


def measure_slope(rows: pd.DataFrame, *, statistic: str) -> Estimate:
    """The exponent of a statistic: the slope of its logarithm against log L."""
    return per_seed(rows, lambda own: loglog_slope(own["depth"], own[statistic]))


def measure_slope_difference(rows: pd.DataFrame, *, statistic: str, other: str) -> Estimate:
    """The exponent of one statistic minus that of another."""

    def difference(own: pd.DataFrame) -> float:
        return loglog_slope(own["depth"], own[statistic]) - loglog_slope(own["depth"], own[other])

    return per_seed(rows, difference)


def measure_bend(rows: pd.DataFrame, *, statistic: str, below: int, above: int) -> Estimate:
    """The exponent of a statistic over the depths from `above` on minus that over the depths up to `below`."""

    def difference(own: pd.DataFrame) -> float:
        parts = own[own["depth"] >= above], own[own["depth"] <= below]
        deep, shallow = (loglog_slope(part["depth"], part[statistic]) for part in parts)
        return deep - shallow

    return per_seed(rows, difference)


def measure_flow_slope(rows: pd.DataFrame) -> Estimate:
    """The exponent of |sum_k delta_k T_k| for a shared delta: 0 where alpha + beta = 1, as a limit in depth needs."""

    def slope(own: pd.DataFrame) -> float:
        return loglog_slope(own["depth"], own["total"] * own["residual"] / own["largest"])

    return per_seed(rows, slope)


def measure_mean(rows: pd.DataFrame, *, statistic: str) -> Estimate:
    """The mean over the depths, averaged over seeds."""
    return per_seed(rows, lambda own: float(own[statistic].mean(skipna=False)))


def measure_jump(rows: pd.DataFrame) -> Estimate:
    """log10 of how many times its equal share, 1 / L, the largest layer has of the squares; the mean over the depths.

    0 for layers of one size; it grows like log10 L where single layers stand out, as the jumps of a path do.
    """
    return per_seed(rows, lambda own: float(np.log10((own["largest_share"] * own["depth"]).to_numpy()).mean()))


def measure_mean_ratio(rows: pd.DataFrame, *, statistic: str, other: str) -> Estimate:
    """One statistic over another, the mean over the depths, averaged over seeds."""
    return per_seed(rows, lambda own: float((own[statistic] / own[other]).mean(skipna=False)))


def measure_smallest(rows: pd.DataFrame, *, statistic: str) -> Estimate:
    """The smallest value over the depths, averaged over seeds."""
    return per_seed(rows, lambda own: float(own[statistic].min(skipna=False)))


def measure_largest(rows: pd.DataFrame, *, statistic: str) -> Estimate:
    """The largest value over the depths, averaged over seeds."""
    return per_seed(rows, lambda own: float(own[statistic].max(skipna=False)))


def measure_roughness_ratio(rows: pd.DataFrame) -> Estimate:
    """log10 of the roughness of the ReLU networks' weights over that of the tanh networks'."""

    def ratio(own: pd.DataFrame) -> float:
        mean = own.groupby("activation")["roughness"].mean()
        return math.log10(mean.get("relu", math.nan) / mean.get("tanh", math.nan))

    return per_seed(rows, ratio)


def measure_smallest_loss_ratio(rows: pd.DataFrame, *, without: Loss) -> Estimate:
    """The loss without the noise of the weights over that with it, the smallest over the depths."""
    return per_seed(rows, lambda own: float((own[without] / own["train_loss"]).min(skipna=False)))


def measure_largest_loss_ratio(rows: pd.DataFrame, *, without: Loss) -> Estimate:
    """The loss without the noise of the weights over that with it, the largest over the depths."""
    return per_seed(rows, lambda own: float((own[without] / own["train_loss"]).max(skipna=False)))


def measure_common_share(rows: pd.DataFrame, *, entry: Entry) -> Estimate:
    """How far an entry, or the trace, is one function of k/L at all depths, up to its size.

    Each depth's curve is divided by its root mean square. It is the share of the squares that the mean over the depths
    has: 1 for curves of one shape, 1/n for n independent ones.
    """

    def share(own: pd.DataFrame) -> float:
        curves = [rescaled(of_depth, entry, 0.0) for _, of_depth in own.groupby("depth", sort=True)]
        if len(curves) < 2:
            return math.nan
        values = np.array([np.interp((np.arange(GRID) + 0.5) / GRID, *curve) for curve in curves])
        shapes = values / np.sqrt(np.square(values).mean(1, keepdims=True))
        return float(np.square(shapes.mean(0)).mean())

    return per_seed(rows, share)


def draw_exponents(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """One trained entry against k/L, the scaling of delta and A for tanh, and the test of the first hypothesis."""
    figure, axes = panels(2, 3)
    entries, weights, training = log["entries"], log["weights"], log["training"]
    entry_curves(axes[0], of_networks(entries, "tanh", "shared"), 0.2)
    axes[0].set_title("tanh: an entry of $L^{0.2} A_k$")
    rough = of_networks(entries, "relu", "layers")
    entry_curves(axes[1], rough[rough["depth"] == rough["depth"].max()], 0.0)
    axes[1].set_title("ReLU: an entry of $|\\delta_k| A_k$")
    entry_curves(axes[2], rough, 0.0, summed=True)
    axes[2].set_title("ReLU: its cumulative sum")
    tanh = of_networks(weights, "tanh", "shared")
    statistic_curve(axes[3], of_networks(training, "tanh", "shared"), "largest_delta", BLUE, "$|\\delta|$")
    axes[3].set_title("tanh: the shared $|\\delta|$")
    statistic_curve(axes[4], tanh[tanh["tensor"] == "A"], "largest", BLUE, "$\\max_k |A_k|$")
    statistic_curve(axes[4], tanh[tanh["tensor"] == "b"], "largest", SKY, "$\\max_k |b_k|$")
    axes[4].set_title("tanh: largest weights")
    for ax, slope in ((axes[3], -0.7), (axes[4], -0.2)):
        slope_beside(ax, 0, slope, f"${slope}$ (paper)")
        note_local_slopes(ax)
    plain_ticks(axes[4])
    hypothesis_curves(axes[5], tanh[tanh["tensor"] == "A"], BETAS["tanh"])
    for curve, slope in ((0, -1.0), (1, 0.3)):
        slope_beside(axes[5], curve, slope, f"${slope:g}$ (smooth)")
    axes[5].set_title("tanh: smooth in depth? ($T = A$, $\\beta = 0.2$)")
    for ax in axes[3:]:
        legend_inside(ax)
    return finish(figure, recipe)


def draw_roughness(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """The scaling of ReLU weights, their deltas along the depth, the test of the hypotheses, and the roughness."""
    figure, axes = panels(2, 3)
    weights, training, entries = log["weights"], log["training"], log["entries"]
    relu = of_networks(weights, "relu", "layers")
    for tensor, colour in (("A", VERMILLION), ("b", ORANGE)):
        own = relu[relu["tensor"] == tensor]
        statistic_curve(axes[0], own, "largest", colour, f"$\\max_k |\\delta_k {tensor}_k|$")
    slope_beside(axes[0], 0, -0.5, "$-0.5$ (paper)")
    plain_ticks(axes[0])
    axes[0].set_title("ReLU: largest weights")
    delta_curves(axes[1], of_networks(entries, "relu", "layers"))
    hypothesis_curves(axes[2], relu[relu["tensor"] == "A"], BETAS["relu"])
    axes[2].set_title("ReLU: smooth in depth? ($T = |\\delta| A$, $\\beta = 0.5$)")
    for own, name, colour in kinds_of_networks(weights[weights["tensor"] == "A"]):
        statistic_curve(axes[3], own, "roughness", colour, name)
    for own, name, colour in kinds_of_networks(training):
        statistic_curve(axes[5], own, "epochs", colour, name, log_y=False)
    level(axes[3], 1.0, "white noise")
    axes[3].set_title("roughness of $A_k$ in $k$")
    for tensor, colour in (("A", VERMILLION), ("b", ORANGE)):
        own = relu[relu["tensor"] == tensor]
        statistic_curve(axes[4], own, "roughness", colour, f"of $|\\delta_k| {tensor}_k$", log_y=False)
    level(axes[4], 1.0, "white noise")
    axes[4].set_ylim(0, None)
    axes[4].set_title("ReLU: roughness of $A$ and of $b$")
    axes[5].set_title("epochs until the training stopped")
    for ax in (axes[0], axes[2], axes[4]):
        legend_inside(ax)
    return finish(figure, recipe)


def draw_decomposition(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Trend and noise of one entry of A and of b for each kind of networks, from the four deepest networks."""
    entries = log["entries"]
    kinds = [(kind, entry) for kind in (("tanh", "shared"), ("relu", "layers")) for entry in ENTRIES]
    figure, axes = panels(2, len(kinds), panel=(3.4, 2.9))
    noises = axes[len(kinds) :]
    for ax in noises[1:]:
        ax.sharey(noises[0])
    for (kind, entry), trend, noise in zip(kinds, axes, noises, strict=False):
        own = of_networks(entries[entries["task"] == "ode"], *kind)
        if len(own):
            decomposed_curves(trend, noise, first_seed(own), entry, recipe.params.bins)
        factor = f"$L^{{{BETAS[kind[0]]['ode']}}}$" + (" $|\\delta_k|$" if kind[1] == "layers" else "")
        trend.set_title(f"{NETWORKS[kind][0].split(',')[0]}: {factor} {ENTRIES[entry]}")
        noise.set_title("what the bins leave, summed")
        noise.set_xlabel("$k / L$")
    axes[0].set_ylabel("weights and common trend")
    noises[0].set_ylabel("sum over layers, as a share of\nthe root of the sum of squares")
    return finish(figure, recipe)


def draw_denoising(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """The training loss with trained weights and with their means over bins and over each two layers, against depth."""
    rows = log["training"]
    kinds = kinds_of_networks(rows)
    figure, axes = panels(1, len(kinds), panel=(4.4, 3.6), sharey=True)
    for ax, (own, name, colour) in zip(axes, kinds, strict=True):
        statistic_curve(ax, own, "train_loss", colour, f"{name}: trained weights")
        binned = own[own["depth"] >= 2 * recipe.params.bins]  # a bin of one layer has no noise
        statistic_curve(ax, binned, "trend_loss", PURPLE, f"means of {recipe.params.bins} bins for weights", line="--")
        statistic_curve(ax, own, "pair_loss", ORANGE, "means of each two layers for weights", line=":")
        level(ax, recipe.params.training.tolerance, "loss at which trainings stop")
        ax.set_title(name)
    axes[0].set_ylabel("training loss")
    return finish(figure, recipe)
