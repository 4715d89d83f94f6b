"""Exponents, roughness, trend and noise of trained weights along the depth, and the figures that show them.

Cohen, Cont, Rossier & Xu 2021 (arXiv 2105.12245). One run a depth and seed; exponents are fitted a seed at a time.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, loglog_slope, per_seed
from resodectl.drawing.axes import depth_axis, level, note, plain_ticks, reference_slope, spread
from resodectl.drawing.colours import BLACK, BLUE, GREEN, GREY, MAGENTA, ORANGE, PURPLE, SKY, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.legend import legend_inside
from resodectl.drawing.rows import first_seed, in_order
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.scaling.weight_scaling.spec import Params

Entry = Literal["matrix_entry", "bias_entry", "trace"]
Loss = Literal["trend_loss", "pair_loss"]
BETAS = {"tanh": {"ode": 0.2, "mnist": 0.0}, "relu": {"ode": 0.5, "mnist": 0.4}}  # with which the paper rescales
NETWORKS = {  # name and colour of each kind
    ("tanh", "shared"): ("tanh, shared $\\delta$", BLUE),
    ("relu", "layers"): ("ReLU, $\\delta_k$ a layer", VERMILLION),
    ("relu", "shared"): ("ReLU, shared $\\delta$", GREEN),
    ("tanh", "fixed"): ("tanh, $\\delta = 1/L$", GREY),
    ("relu", "fixed"): ("ReLU, $\\delta = 1/L$", BLACK),
}
DEEPEST = (BLUE, PURPLE, ORANGE, GREEN)  # the colours of the deepest networks, from the deepest on
LINES = {"ode": ":", "mnist": "-"}  # as in the paper
TASKS = {"ode": "ODE", "mnist": "MNIST"}
ENTRIES = {"matrix_entry": "$A_k$", "bias_entry": "$b_k$"}
NO_POWERS = {"ode": 0.0, "mnist": 0.0}
SHALLOW, DEEP = 64, 128  # layers: the exponents differ below and above
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
        curves = [_rescaled(of_depth, entry, 0.0) for _, of_depth in own.groupby("depth", sort=True)]
        if len(curves) < 2:
            return math.nan
        values = np.array([np.interp((np.arange(GRID) + 0.5) / GRID, *curve) for curve in curves])
        shapes = values / np.sqrt(np.square(values).mean(1, keepdims=True))
        return float(np.square(shapes.mean(0)).mean())

    return per_seed(rows, share)


def _rescaled(rows: pd.DataFrame, entry: str, exponent: float) -> tuple[np.ndarray, np.ndarray]:
    """Places k/L (the middles of the layers' intervals) and L^exponent times the entry, for the rows of one network."""
    rows = rows.sort_values("layer")
    depth = float(rows["depth"].iloc[0])
    return (rows["layer"].to_numpy() + 0.5) / depth, depth**exponent * rows[entry].to_numpy()


def draw_exponents(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """One trained entry against k/L, the scaling of delta and A for tanh, and the test of the first hypothesis."""
    figure, axes = panels(2, 3)
    entries, weights, training = log["entries"], log["weights"], log["training"]
    _entry_curves(axes[0], _of(entries, "tanh", "shared"), 0.2)
    axes[0].set_title("tanh: an entry of $L^{0.2} A_k$")
    rough = _of(entries, "relu", "layers")
    _entry_curves(axes[1], rough[rough["depth"] == rough["depth"].max()], 0.0)
    axes[1].set_title("ReLU: an entry of $|\\delta_k| A_k$")
    _entry_curves(axes[2], rough, 0.0, summed=True)
    axes[2].set_title("ReLU: its cumulative sum")
    tanh = _of(weights, "tanh", "shared")
    _statistic(axes[3], _of(training, "tanh", "shared"), "largest_delta", BLUE, "$|\\delta|$")
    axes[3].set_title("tanh: the shared $|\\delta|$")
    _statistic(axes[4], tanh[tanh["tensor"] == "A"], "largest", BLUE, "$\\max_k |A_k|$")
    _statistic(axes[4], tanh[tanh["tensor"] == "b"], "largest", SKY, "$\\max_k |b_k|$")
    axes[4].set_title("tanh: largest weights")
    for ax, slope in ((axes[3], -0.7), (axes[4], -0.2)):
        _slope_beside(ax, 0, slope, f"${slope}$ (paper)")
        _local_slopes(ax)
    plain_ticks(axes[4])
    _hypothesis(axes[5], tanh[tanh["tensor"] == "A"], BETAS["tanh"])
    for curve, slope in ((0, -1.0), (1, 0.3)):
        _slope_beside(axes[5], curve, slope, f"${slope:g}$ (smooth)")
    axes[5].set_title("tanh: smooth in depth? ($T = A$, $\\beta = 0.2$)")
    for ax in axes[3:]:
        legend_inside(ax)
    return finish(figure, recipe)


def draw_roughness(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """The scaling of ReLU weights, their deltas along the depth, the test of the hypotheses, and the roughness."""
    figure, axes = panels(2, 3)
    weights, training, entries = log["weights"], log["training"], log["entries"]
    relu = _of(weights, "relu", "layers")
    for tensor, colour in (("A", VERMILLION), ("b", ORANGE)):
        own = relu[relu["tensor"] == tensor]
        _statistic(axes[0], own, "largest", colour, f"$\\max_k |\\delta_k {tensor}_k|$")
    _slope_beside(axes[0], 0, -0.5, "$-0.5$ (paper)")
    plain_ticks(axes[0])
    axes[0].set_title("ReLU: largest weights")
    _deltas(axes[1], _of(entries, "relu", "layers"))
    _hypothesis(axes[2], relu[relu["tensor"] == "A"], BETAS["relu"])
    axes[2].set_title("ReLU: smooth in depth? ($T = |\\delta| A$, $\\beta = 0.5$)")
    for own, name, colour in _kinds(weights[weights["tensor"] == "A"]):
        _statistic(axes[3], own, "roughness", colour, name)
    for own, name, colour in _kinds(training):
        _statistic(axes[5], own, "epochs", colour, name, log_y=False)
    level(axes[3], 1.0, "white noise")
    axes[3].set_title("roughness of $A_k$ in $k$")
    for tensor, colour in (("A", VERMILLION), ("b", ORANGE)):
        own = relu[relu["tensor"] == tensor]
        _statistic(axes[4], own, "roughness", colour, f"of $|\\delta_k| {tensor}_k$", log_y=False)
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
        own = _of(entries[entries["task"] == "ode"], *kind)
        if len(own):
            _decomposed(trend, noise, first_seed(own), entry, recipe.params.bins)
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
    kinds = _kinds(rows)
    figure, axes = panels(1, len(kinds), panel=(4.4, 3.6), sharey=True)
    for ax, (own, name, colour) in zip(axes, kinds, strict=True):
        _statistic(ax, own, "train_loss", colour, f"{name}: trained weights")
        binned = own[own["depth"] >= 2 * recipe.params.bins]  # a bin of one layer has no noise
        _statistic(ax, binned, "trend_loss", PURPLE, f"means of {recipe.params.bins} bins for weights", line="--")
        _statistic(ax, own, "pair_loss", ORANGE, "means of each two layers for weights", line=":")
        level(ax, recipe.params.training.tolerance, "loss at which trainings stop")
        ax.set_title(name)
    axes[0].set_ylabel("training loss")
    return finish(figure, recipe)


def _of(rows: pd.DataFrame, activation: str, delta: str) -> pd.DataFrame:
    """The rows of one kind of networks; of several leaks, those of the smallest."""
    own = rows[(rows["activation"] == activation) & (rows["delta"] == delta)]
    return own[own["leak"] == own["leak"].min()]


def _kinds(rows: pd.DataFrame) -> list[tuple[pd.DataFrame, str, str]]:
    """The rows, the name and the colour of each kind of networks; kinds that leak share the colour of those without."""
    kinds = []
    for (activation, delta), (name, colour) in NETWORKS.items():
        own = rows[(rows["activation"] == activation) & (rows["delta"] == delta)]
        for leak, of_leak in in_order(own, "leak", sorted(float(leak) for leak in own["leak"].unique())):
            kinds.append((of_leak, f"{name}, leak {leak:g}" if leak else name, colour))
    return kinds


def _statistic(
    ax: Axes,
    rows: pd.DataFrame,
    column: str,
    colour: str,
    label: str,
    log_y: bool = True,
    powers: Mapping[str, float] = NO_POWERS,
    line: str = "-",
) -> None:
    """A statistic against depth, multiplied by the task's power of L; several tasks have lines of their own."""
    several = rows["task"].nunique() > 1
    for task, own in rows.groupby("task", sort=False):
        name = f"{label}, {TASKS[str(task)]}" if several else label
        scaled = own.assign(shown=own[column] * own["depth"].astype(float) ** powers[str(task)])
        spread(ax, scaled, "depth", "shown", colour=colour, label=name, line=LINES[str(task)] if several else line)
    if len(rows):
        depth_axis(ax, rows["depth"], "depth $L$")
    if log_y:
        ax.set_yscale("log")


def _hypothesis(ax: Axes, rows: pd.DataFrame, betas: Mapping[str, float]) -> None:
    """L^beta times the largest increment, which vanishes for smooth weights, and the root of the sum of squares."""
    _statistic(ax, rows, "increment", ORANGE, "$L^\\beta \\max_k |T_{k+1} - T_k|$", powers=betas)
    _statistic(ax, rows, "root_sum_square", MAGENTA, "$(\\Sigma_k |T_k|^2)^{1/2}$")


def _slope_beside(ax: Axes, curve: int, slope: float, label: str) -> None:
    """A power law above one of a panel's curves; nothing where the panel has no such curve."""
    curves = [line for line in ax.lines if np.size(line.get_xdata()) > 1 and line.get_zorder() == 3]  # of `spread`
    if curve < len(curves):
        x, y = (np.asarray(part, dtype=float) for part in curves[curve].get_data())
        if np.isfinite(y).all():
            reference_slope(ax, (x[0], x[-1]), slope, (x[0], 1.5 * y[0]), label)
            ax.set_xlim(right=x[-1] * 2.5)


def _local_slopes(ax: Axes) -> None:
    """The exponents of a panel's first curve over its shallow and over its deep half."""
    x, y = (np.asarray(part, dtype=float) for part in ax.lines[0].get_data()) if ax.lines else (np.zeros(0),) * 2
    parts = x <= SHALLOW, x >= DEEP
    slopes = [loglog_slope(x[part], y[part]) for part in parts]
    if np.isfinite(slopes).all():
        words = f"slope {slopes[0]:.2f} up to $L = {SHALLOW}$\n{slopes[1]:.2f} from $L = {DEEP}$ on"
        note(ax, words.replace("-", "\N{MINUS SIGN}"), "lower left")


def _entry_curves(ax: Axes, rows: pd.DataFrame, exponent: float, summed: bool = False) -> None:
    """One entry of the first seed's networks against k/L, the deepest four of those of the first task."""
    rows = first_seed(rows)
    rows = rows[rows["task"] == rows["task"].iloc[0]] if len(rows) else rows
    for colour, depth in zip(DEEPEST, _deepest(rows), strict=False):
        place, values = _rescaled(rows[rows["depth"] == depth], "matrix_entry", exponent)
        shown = np.cumsum(values) if summed else values
        ax.plot(place, shown, color=colour, linewidth=1.0, label=f"$L = {depth}$")
    ax.set_xlabel("$k / L$")


def _deepest(rows: pd.DataFrame) -> Sequence[int]:
    """The depths of the four deepest networks, the deepest first."""
    return sorted((int(depth) for depth in rows["depth"].unique()), reverse=True)[:4]


def _deltas(ax: Axes, rows: pd.DataFrame) -> None:
    rows = first_seed(rows[rows["depth"] == rows["depth"].max()]).sort_values("layer")
    rows = rows[rows["task"] == rows["task"].iloc[0]] if len(rows) else rows
    ax.plot(rows["layer"], rows["step"], color=VERMILLION, linewidth=0.8)
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.set_xlabel("layer $k$")
    ax.set_title("ReLU: $\\delta_k$" + (f" for $L = {rows['depth'].iloc[0]}$" if len(rows) else ""))


def _decomposed(trend: Axes, noise: Axes, rows: pd.DataFrame, entry: str, bins: int) -> None:
    """The weights of the four deepest networks with their common trend, and the sums of what a network's bins leave.

    The common trend is the slope of the cumulated rescaled weights, averaged over the depths, from bin to bin. The
    sums are those of one network's weights minus their means over its bins, which return to zero at the end of a bin.
    """
    beta = BETAS[rows["activation"].iloc[0]]["ode"]
    edges = np.linspace(0, 1, bins + 1)
    curves = {depth: _rescaled(rows[rows["depth"] == depth], entry, beta)[1] for depth in _deepest(rows)}
    sums = {depth: np.concatenate([[0.0], np.cumsum(values) / depth]) for depth, values in curves.items()}
    grids = {depth: np.arange(depth + 1) / depth for depth in curves}
    mean = np.mean([np.interp(edges, grids[depth], values) for depth, values in sums.items()], axis=0)
    for colour, depth in zip(DEEPEST, curves, strict=False):
        trend.plot(grids[depth][:-1], curves[depth], color=colour, linewidth=0.6, alpha=0.6, label=f"$L = {depth}$")
        own = pd.Series(curves[depth])
        left = own - own.groupby(np.arange(depth) * min(bins, depth) // depth).transform("mean")
        noise.plot(grids[depth][1:], np.cumsum(left) / np.sqrt(np.square(own).sum()), color=colour, linewidth=0.9)
    trend.stairs(np.diff(mean) * bins, edges, color=BLACK, linewidth=1.6, label="trend", baseline=None, zorder=3)
    _cut_spikes(trend, np.concatenate(list(curves.values())))


def _cut_spikes(ax: Axes, values: np.ndarray) -> None:
    """Scale a panel to all but the outermost hundredths of its values, and say how far the others reach."""
    low, high = np.quantile(values, [0.01, 0.99])
    margin = 0.3 * (high - low)
    if values.min() < low - margin or values.max() > high + margin:
        ax.set_ylim(low - margin, high + margin)
        words = f"cut: single layers reach {values.min():.2g} and {values.max():.2g}"
        note(ax, words.replace("-", "\N{MINUS SIGN}"), "upper left")
