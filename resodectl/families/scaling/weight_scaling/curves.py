"""Curves of trained weights along the depth, and of their statistics against it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from resodectl.claims.estimate import loglog_slope
from resodectl.drawing.axes import depth_axis, note, reference_slope, spread
from resodectl.drawing.colours import BLACK, BLUE, GREEN, GREY, MAGENTA, ORANGE, PURPLE, VERMILLION
from resodectl.drawing.rows import first_seed, in_order

BETAS = {  # with which the paper rescales
    "tanh": {"ode": 0.2, "mnist": 0.0, "mnist-10k": 0.0},
    "relu": {"ode": 0.5, "mnist": 0.4, "mnist-10k": 0.4},
}
NETWORKS = {  # name and colour of each kind
    ("tanh", "shared"): ("tanh, shared $\\delta$", BLUE),
    ("relu", "layers"): ("ReLU, $\\delta_k$ a layer", VERMILLION),
    ("relu", "shared"): ("ReLU, shared $\\delta$", GREEN),
    ("tanh", "fixed"): ("tanh, $\\delta = 1/L$", GREY),
    ("relu", "fixed"): ("ReLU, $\\delta = 1/L$", BLACK),
}
DEEPEST = (BLUE, PURPLE, ORANGE, GREEN)  # the colours of the deepest networks, from the deepest on
LINES = {"ode": ":", "mnist": "-", "mnist-10k": "-"}  # as in the paper
TASKS = {"ode": "ODE", "mnist": "MNIST", "mnist-10k": "10,000 images of MNIST"}
NO_POWERS = {"ode": 0.0, "mnist": 0.0, "mnist-10k": 0.0}
SHALLOW, DEEP = 64, 128  # layers: the exponents differ below and above


def of_networks(rows: pd.DataFrame, activation: str, delta: str) -> pd.DataFrame:
    """The rows of one kind of networks; of several leaks, those of the smallest."""
    own = rows[(rows["activation"] == activation) & (rows["delta"] == delta)]
    return own[own["leak"] == own["leak"].min()]


def kinds_of_networks(rows: pd.DataFrame) -> list[tuple[pd.DataFrame, str, str]]:
    """The rows, the name and the colour of each kind of networks; kinds that leak share the colour of those without."""
    kinds = []
    for (activation, delta), (name, colour) in NETWORKS.items():
        own = rows[(rows["activation"] == activation) & (rows["delta"] == delta)]
        for leak, of_leak in in_order(own, "leak", sorted(float(leak) for leak in own["leak"].unique())):
            kinds.append((of_leak, f"{name}, leak {leak:g}" if leak else name, colour))
    return kinds


def statistic_curve(
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


def hypothesis_curves(ax: Axes, rows: pd.DataFrame, betas: Mapping[str, float]) -> None:
    """L^beta times the largest increment, which vanishes for smooth weights, and the root of the sum of squares."""
    statistic_curve(ax, rows, "increment", ORANGE, "$L^\\beta \\max_k |T_{k+1} - T_k|$", powers=betas)
    statistic_curve(ax, rows, "root_sum_square", MAGENTA, "$(\\Sigma_k |T_k|^2)^{1/2}$")


def slope_beside(ax: Axes, curve: int, slope: float, label: str) -> None:
    """A power law above one of a panel's curves; nothing where the panel has no such curve."""
    curves = [line for line in ax.lines if np.size(line.get_xdata()) > 1 and line.get_zorder() == 3]  # of `spread`
    if curve < len(curves):
        x, y = (np.asarray(part, dtype=float) for part in curves[curve].get_data())
        if np.isfinite(y).all():
            reference_slope(ax, (x[0], x[-1]), slope, (x[0], 1.5 * y[0]), label)
            ax.set_xlim(right=x[-1] * 2.5)


def note_local_slopes(ax: Axes) -> None:
    """The exponents of a panel's first curve over its shallow and over its deep half."""
    x, y = (np.asarray(part, dtype=float) for part in ax.lines[0].get_data()) if ax.lines else (np.zeros(0),) * 2
    parts = x <= SHALLOW, x >= DEEP
    slopes = [loglog_slope(x[part], y[part]) for part in parts]
    if np.isfinite(slopes).all():
        words = f"slope {slopes[0]:.2f} up to $L = {SHALLOW}$\n{slopes[1]:.2f} from $L = {DEEP}$ on"
        note(ax, words.replace("-", "\N{MINUS SIGN}"), "lower left")


def entry_curves(ax: Axes, rows: pd.DataFrame, exponent: float, summed: bool = False) -> None:
    """One entry of the first seed's networks against k/L, the deepest four of those of the first task."""
    rows = first_seed(rows)
    rows = rows[rows["task"] == rows["task"].iloc[0]] if len(rows) else rows
    for colour, depth in zip(DEEPEST, deepest(rows), strict=False):
        place, values = rescaled(rows[rows["depth"] == depth], "matrix_entry", exponent)
        shown = np.cumsum(values) if summed else values
        ax.plot(place, shown, color=colour, linewidth=1.0, label=f"$L = {depth}$")
    ax.set_xlabel("$k / L$")


def deepest(rows: pd.DataFrame) -> Sequence[int]:
    """The depths of the four deepest networks, the deepest first."""
    return sorted((int(depth) for depth in rows["depth"].unique()), reverse=True)[:4]


def delta_curves(ax: Axes, rows: pd.DataFrame) -> None:
    rows = first_seed(rows[rows["depth"] == rows["depth"].max()]).sort_values("layer")
    rows = rows[rows["task"] == rows["task"].iloc[0]] if len(rows) else rows
    ax.plot(rows["layer"], rows["step"], color=VERMILLION, linewidth=0.8)
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.set_xlabel("layer $k$")
    ax.set_title("ReLU: $\\delta_k$" + (f" for $L = {rows['depth'].iloc[0]}$" if len(rows) else ""))


def decomposed_curves(trend: Axes, noise: Axes, rows: pd.DataFrame, entry: str, bins: int) -> None:
    """The weights of the four deepest networks with their common trend, and the sums of what a network's bins leave.

    The common trend is the slope of the cumulated rescaled weights, averaged over the depths, from bin to bin. The
    sums are those of one network's weights minus their means over its bins, which return to zero at the end of a bin.
    """
    beta = BETAS[rows["activation"].iloc[0]]["ode"]
    edges = np.linspace(0, 1, bins + 1)
    curves = {depth: rescaled(rows[rows["depth"] == depth], entry, beta)[1] for depth in deepest(rows)}
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


def rescaled(rows: pd.DataFrame, entry: str, exponent: float) -> tuple[np.ndarray, np.ndarray]:
    """Places k/L (the middles of the layers' intervals) and L^exponent times the entry, for the rows of one network."""
    rows = rows.sort_values("layer")
    depth = float(rows["depth"].iloc[0])
    return (rows["layer"].to_numpy() + 0.5) / depth, depth**exponent * rows[entry].to_numpy()
