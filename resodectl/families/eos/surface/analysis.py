"""Where descents on the surface sqrt(L) = sqrt(1 + x^2) |y| go, and the picture of it.

Arora, Li & Panigrahi 2022 (arXiv 2205.09745), Figure 1. Nothing is random: values are exact up to rounding.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.axes3d import Axes3D  # type: ignore[import-untyped]

from resodectl.claims.estimate import Estimate, exact
from resodectl.drawing.colours import BLACK, SEQUENCE, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import in_order
from resodectl.experiment.drawn import Drawn
from resodectl.families.eos.surface.spec import Params

ROUNDING = 1e-9  # of coordinates, after a dozen steps in float64
NAMES = {"square-root": "descent on $\\sqrt{L}$", "normalised": "normalised descent on $L$"}
COLOURS = LogNorm(0.5, 100)  # of sqrt(L), as in the paper
RANGE = {"x": (-6.0, 16.0), "y": (-6.0, 6.0)}
VIEW = {"elev": 20.0, "azim": 200.0}  # degrees
GRID = 89  # points along each side of the surface


def measure_coordinate(rows: pd.DataFrame, *, axis: Literal["x", "y"]) -> Estimate:
    """A coordinate of one iterate."""
    (value,) = rows[axis]
    return exact(value, ROUNDING)


def measure_sharpness_fall(rows: pd.DataFrame) -> Estimate:
    """log10 of the sharpness of the valley under the last iterate over that under the first."""
    path = rows.sort_values("step")["valley_sharpness"]
    return exact(float(np.log10(path.iloc[-1] / path.iloc[0])), ROUNDING)


def measure_crossings(rows: pd.DataFrame) -> Estimate:
    """The share of steps that cross the valley, from one side to the other."""
    side = np.sign(rows.sort_values("step")["y"].to_numpy())
    return exact(float(np.mean(side[1:] * side[:-1] < 0)) if len(side) > 1 else np.nan)


def draw_surface(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """The surface z = sqrt(L) with its minimisers and the iterates of each descent, joined by arrows."""
    rows = log["iterates"]
    shown = in_order(rows, "algorithm", NAMES)
    figure = Figure(figsize=(5.4 * len(shown), 4.6), layout="constrained")
    # The surface would hide what lies on it if artists were sorted by their depth.
    kind = {"projection": "3d", "computed_zorder": False}
    axes = figure.subplots(1, len(shown), squeeze=False, subplot_kw=kind)[0]
    for space, (algorithm, own) in zip(axes, shown, strict=True):
        _draw_valley(space)
        _draw_path(space, own)
        _mark_published(space, recipe, algorithm)
        space.set_title(f"{NAMES[algorithm]}, $\\eta={own['lr'].iloc[0]:g}$, {len(own)} iterates", loc="left")
    colours = figure.colorbar(axes[0].collections[0], ax=list(axes), shrink=0.6, pad=0.02)
    colours.set_label("$\\sqrt{L}$")
    return finish(figure, recipe)


def _height(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.sqrt(1 + x * x) * np.abs(y)


def _draw_valley(space: Axes3D) -> None:
    x, y = np.meshgrid(*(np.linspace(*RANGE[axis], GRID) for axis in "xy"))
    z = _height(x, y)
    space.plot_surface(
        x, y, z, cmap=SEQUENCE, norm=COLOURS, alpha=0.55, rcount=GRID, ccount=GRID, linewidth=0, zorder=1
    )
    ends = np.array(RANGE["x"])
    space.plot(ends, 0 * ends, 0 * ends, color=BLACK, linewidth=2, label="$\\Gamma$, the minimisers $y=0$", zorder=2)
    space.set(xlim=RANGE["x"], ylim=RANGE["y"], xlabel="$x$", ylabel="$y$", xticks=range(-5, 16, 5))
    space.zaxis.set_rotate_label(False)
    space.set_zlabel("$\\sqrt{L}$", rotation=0)
    space.view_init(**VIEW)
    space.set_box_aspect(None, zoom=1.15)


def _draw_path(space: Axes3D, rows: pd.DataFrame) -> None:
    points = rows.sort_values("step")[["x", "y", "root_loss"]].to_numpy()
    inside = np.abs(points[:, 1]) <= RANGE["y"][1]
    steps = np.diff(points, axis=0)
    space.quiver(
        *points[:-1].T, *steps.T, color=VERMILLION, arrow_length_ratio=0.12, linewidth=1.1, zorder=3, label="_"
    )
    space.plot(
        *points[inside].T, "o", color=VERMILLION, markeredgecolor=BLACK, markersize=5, label="iterates", zorder=4
    )


def _mark_published(space: Axes3D, recipe: Drawn[Params], algorithm: str) -> None:
    """The last iterate that the authors' code gives, where the recipe's claims state it."""
    values = {
        claim.options["axis"]: claim.published
        for claim in recipe.claims
        if "axis" in claim.options and claim.where.get("algorithm") == algorithm and claim.published is not None
    }
    if values.keys() == {"x", "y"}:
        x, y = (np.array([values[axis]]) for axis in "xy")
        space.plot(x, y, _height(x, y), "x", color=BLACK, markersize=10, label="last iterate, paper", zorder=5)
