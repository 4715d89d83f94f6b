"""How near the margins of trained networks come to exact references, and their boundaries beside these.

Lyu, Li, Wang & Arora 2021 (arXiv 2110.13905), Figure 1.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, exact, per_seed
from resodectl.drawing.colours import BLACK, BLUE, GREEN, ORANGE, SKY, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import first_seed, in_order
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.margin.leaky_boundaries.spec import PANELS, Panel, Params

Reference = Literal["best_low", "best_high", "best_linear", "best_neuron"]
TITLES = {"symmetric": "symmetric points", "positive": "positive support vectors", "hinted": "three hints"}
CURVES = {"best": ("best network, certified", GREEN, "-."), "svm": ("line of the largest margin", ORANGE, "--")}
ZOOM = 3.0  # the shown square ends at this multiple of the median distance of points


def measure_margin(rows: pd.DataFrame) -> Estimate:
    """The normalised margin, mean over the runs of a seed."""
    return per_seed(rows, lambda of_seed: of_seed["margin"].mean())


def measure_ratio(rows: pd.DataFrame, *, to: Reference, of: Literal["lowest", "highest"]) -> Estimate:
    """The lowest, or highest, ratio of normalised margin to a reference among the runs of a seed."""

    def extreme(of_seed: pd.DataFrame) -> float:
        ratios = of_seed["margin"] / of_seed[to]
        return ratios.min() if of == "lowest" else ratios.max()

    return per_seed(rows, extreme)


def measure_bend(rows: pd.DataFrame) -> Estimate:
    """|f - c| / |f| on the circle, c the nearest linear function: the largest among the runs of a seed."""
    return per_seed(rows, lambda of_seed: of_seed["bend"].max())


def measure_cosine(rows: pd.DataFrame) -> Estimate:
    """The cosine of the linear part of f and a direction: the lowest among the runs of a seed."""
    return per_seed(rows, lambda of_seed: of_seed["cosine"].min())


def measure_off_line(rows: pd.DataFrame) -> Estimate:
    """The largest angle, in degrees, of the boundary with the line of the largest margin, mean over runs of a seed."""
    return per_seed(rows, lambda of_seed: of_seed["off_line"].mean())


def measure_positive_mass(rows: pd.DataFrame) -> Estimate:
    """The share of neurons with a > 0 in sum_k |a_k| |w_k|, mean over the runs of a seed."""
    return per_seed(rows, lambda of_seed: of_seed["positive_mass"].mean())


def measure_best_over(rows: pd.DataFrame, *, reference: Literal["best_linear", "best_neuron"]) -> Estimate:
    """The certified margin of the best network over a reference: exact, the bounds are its error."""
    first = rows.iloc[0]
    low, high = (first[bound] / first[reference] for bound in ("best_low", "best_high"))
    return exact((low + high) / 2, (high - low) / 2)


def draw_boundaries(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """A panel a set of points: points, neurons, the boundary of the first seed, the best line, the best network."""
    shown = recipe.params.panels()
    figure, axes = panels(1, len(shown), panel=(4.1, 4.1))
    for ax, name in zip(axes, (name for name in PANELS if name in shown), strict=True):
        panel = shown[name]
        own = {kind: first_seed(rows[rows["panel"] == name]) for kind, rows in log.items()}
        own = {kind: rows[rows["width"] == panel.widths[-1]] for kind, rows in own.items()}
        half = _points(ax, own["points"])
        _rays(ax, own["rays"], panel, half)
        _neurons(ax, own["neurons"], panel.scales[0], half)
        ax.set(xlim=(-half, half), ylim=(-half, half), aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
        ax.set_title(f"{TITLES[name]}\n{_margins(own['runs'], panel)}")
    return finish(figure, recipe)


def _points(ax: Axes, points: pd.DataFrame) -> float:
    """Draws the points, arrows to those outside, and gives half the side of the shown square."""
    sizes = points[["x1", "x2"]].abs().max(axis=1)
    half = min(1.15 * sizes.max(), ZOOM * sizes.median())
    for label, own in in_order(points, "label", (1.0, -1.0)):
        marker, colour = ("o", BLUE) if label > 0 else ("s", VERMILLION)
        name = "label $+1$" if label > 0 else "label $-1$"
        ax.plot(own["x1"], own["x2"], marker, color=colour, label=name, markersize=5, zorder=5)
    for x1, x2 in points.loc[sizes > half, ["x1", "x2"]].itertuples(index=False):
        end = 0.97 * half / max(abs(x1), abs(x2)) * np.array([x1, x2])
        ax.annotate("", end, 0.8 * end, arrowprops={"arrowstyle": "->", "color": BLUE})
        ax.annotate(f"({x1:g}, {x2:g})", 0.88 * end, (0, 5), textcoords="offset points", ha="center", fontsize=8)
    return float(half)


def _rays(ax: Axes, rays: pd.DataFrame, panel: Panel, half: float) -> None:
    scales = [panel.scales[0], panel.scales[-1]] if len(panel.scales) > 1 else [panel.scales[0]]
    small = rays[rays["scale"] == panel.scales[0]]
    for scale, line in zip(scales, ("-", ":"), strict=False):
        angles = rays.loc[(rays["scale"] == scale) & (rays["curve"] == "network"), "angle"]
        if scale == panel.scales[0]:
            label, colour = "$f = 0$ from small weights", BLACK
        else:
            label, colour = f"$f = 0$ from weights of scale {scale:g}", VERMILLION
        _draw(ax, angles, half, label, colour, line, 2.2)
    for curve, (label, colour, line) in CURVES.items():
        _draw(ax, small.loc[small["curve"] == curve, "angle"], half, label, colour, line, 1.4)


def _draw(ax: Axes, angles: pd.Series, half: float, label: str, colour: str, line: str, width: float) -> None:
    for angle in angles:
        ends = 2 * half * np.array([np.cos(angle), np.sin(angle)])
        ax.plot([0, ends[0]], [0, ends[1]], line, color=colour, label=label, linewidth=width, zorder=3)


def _neurons(ax: Axes, neurons: pd.DataFrame, scale: float, half: float) -> None:
    """Each neuron as a ray along w_k, as long as |a_k| |w_k| says."""
    own = neurons[neurons["scale"] == scale]
    longest = np.hypot(own["first"], own["second"]).max()
    for positive, rays in in_order(own, "positive", (True, False)):
        label = "neurons with $a > 0$" if positive else "neurons with $a < 0$"
        for first, second in rays[["first", "second"]].itertuples(index=False):
            ends = 0.6 * half / longest * np.array([[0, 0], [first, second]])
            ax.plot(*ends.T, color=SKY if positive else VERMILLION, alpha=0.6, linewidth=3.5, label=label, zorder=2)


def _margins(runs: pd.DataFrame, panel: Panel) -> str:
    """The margins of the shown runs over the certified one, in words."""
    late = runs[runs["moment"] == "late"]
    shares = {scale: (own["margin"] / own["best_high"]).iloc[0] for scale, own in in_order(late, "scale", panel.scales)}
    text = f"margin / certified best {shares[panel.scales[0]]:.4f}"
    return text if len(shares) == 1 else f"{text}, dotted {shares[panel.scales[-1]]:.4f}"
