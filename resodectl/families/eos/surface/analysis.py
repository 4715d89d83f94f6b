"""Where descents on the surface sqrt(L) = sqrt(1 + x^2) |y| go, and the picture of it.

Arora, Li & Panigrahi 2022 (arXiv 2205.09745), Figure 1. Nothing is random: values are exact up to rounding.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from mpl_toolkits.mplot3d import proj3d  # type: ignore[import-untyped]
from mpl_toolkits.mplot3d.axes3d import Axes3D  # type: ignore[import-untyped]

from resodectl.claims.estimate import Estimate, exact
from resodectl.drawing.colours import BLACK, SEQUENCE, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.experiment.drawn import Drawn
from resodectl.families.eos.surface.spec import Params

ROUNDING = 1e-9  # of coordinates, after a dozen steps in float64
NAMES = {"square-root": "descent on $\\sqrt{L}$", "normalised": "normalised descent on $L$"}
COLOURS = LogNorm(0.5, 100)  # of sqrt(L), as in the paper
RANGE = {"x": (-6.0, 16.0), "y": (-6.0, 6.0)}
VIEW = {"elev": 20.0, "azim": 200.0}  # degrees
GRID = 89  # points along each side of the surface
SIGHT = 400  # points along the line from an iterate to the eye
PIECES = 60  # of a step, each seen or hidden, at most
ROOM = 3000  # pieces of a whole path, about
ARROWS = 100  # steps, at most, that are drawn as arrows
FAINT = 0.35  # opacity of what the surface hides
RUN = ["algorithm", "lr"]


def measure_coordinate(rows: pd.DataFrame, *, axis: Literal["x", "y"]) -> Estimate:
    """A coordinate of one iterate."""
    (value,) = rows[axis]
    return exact(value, ROUNDING)


def measure_sharpness_fall(rows: pd.DataFrame) -> Estimate:
    """log10 of the sharpness of the valley under the last iterate over that under the first; of several descents the
    one where it falls least."""
    paths = rows.sort_values("step").groupby(RUN)["valley_sharpness"]
    falls = paths.agg(lambda path: np.log10(path.iloc[-1] / path.iloc[0]))
    return exact(float(falls.max(skipna=False)), ROUNDING)


def measure_crossings(rows: pd.DataFrame) -> Estimate:
    """The share of steps that cross the valley, from one side to the other; of several descents the smallest."""

    def share(y: pd.Series) -> float:
        side = np.sign(y.to_numpy())
        return float(np.mean(side[1:] * side[:-1] < 0)) if len(side) > 1 else np.nan

    return exact(float(rows.sort_values("step").groupby(RUN)["y"].agg(share).min(skipna=False)))


def draw_surface(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """The surface z = sqrt(L) with its minimisers and the iterates of each descent, joined by arrows."""
    rows = log["iterates"]
    runs = rows[RUN].drop_duplicates().itertuples(index=False, name=None)
    shown = [(run, rows[(rows["algorithm"] == run[0]) & (rows["lr"] == run[1])]) for run in runs]
    figure = Figure(figsize=(5.4 * len(shown), 4.6), layout="constrained")
    # matplotlib sorts whole artists by their depth, and would put a path in front of the surface or behind it.
    kind = {"projection": "3d", "computed_zorder": False, "proj_type": "ortho"}
    axes = figure.subplots(1, len(shown), squeeze=False, subplot_kw=kind)[0]
    for space, ((algorithm, lr), own) in zip(axes, shown, strict=True):
        path = own.sort_values("step")
        ranges = {axis: _around(RANGE[axis], path[axis]) for axis in "xy"}
        _draw_valley(space, ranges)
        _draw_path(space, path[["x", "y", "root_loss"]].to_numpy(), ranges)
        _mark_published(space, recipe, algorithm, lr)
        space.set_title(f"{NAMES[algorithm]}, $\\eta={lr:g}$, {len(own)} iterates", loc="left")
    colours = figure.colorbar(axes[0].collections[0], ax=list(axes), shrink=0.6, pad=0.02)
    colours.set_label("$\\sqrt{L}$")
    return finish(figure, recipe)


def _height(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.sqrt(1 + x * x) * np.abs(y)


def _around(interval: tuple[float, float], values: pd.Series) -> tuple[float, float]:
    """The interval, made wide enough for the values."""
    return min(interval[0], float(values.min())), max(interval[1], float(values.max()))


def _draw_valley(space: Axes3D, ranges: Mapping[str, tuple[float, float]]) -> None:
    x, y = np.meshgrid(*(np.linspace(*ranges[axis], GRID) for axis in "xy"))
    z = _height(x, y)
    space.plot_surface(
        x, y, z, cmap=SEQUENCE, norm=COLOURS, alpha=0.55, rcount=GRID, ccount=GRID, linewidth=0, zorder=1
    )
    ends = np.array(ranges["x"])
    space.plot(ends, 0 * ends, 0 * ends, color=BLACK, linewidth=2, label="$\\Gamma$, the minimisers $y=0$", zorder=2)
    space.set(xlim=ranges["x"], ylim=ranges["y"], zlim=(0, z.max()), xlabel="$x$", ylabel="$y$")
    space.set_xticks([tick for tick in range(-100, 101, 5) if ranges["x"][0] <= tick <= ranges["x"][1]])
    space.zaxis.set_rotate_label(False)
    space.set_zlabel("$\\sqrt{L}$", rotation=0)
    space.view_init(**VIEW)
    space.set_box_aspect(None, zoom=1.15)


class _Arrow(FancyArrowPatch):
    """An arrow in the plane of the picture from one point in space to another.

    matplotlib's `quiver` turns the heads of its arrows in space, where axes of different scales distort them.
    """

    def __init__(self, start: np.ndarray, end: np.ndarray) -> None:
        super().__init__(
            (0, 0), (0, 0), arrowstyle="-|>", mutation_scale=9, shrinkA=0, shrinkB=3, linewidth=0,
            color=VERMILLION, zorder=3,
        )  # fmt: skip
        self._ends = np.stack((start, end))

    def do_3d_projection(self) -> float:
        """Where the arrow is in the picture; its depth counts for nothing."""
        assert isinstance(self.axes, Axes3D)
        x, y, depth = proj3d.proj_transform(*self._ends.T, self.axes.M)
        self.set_positions((x[0], y[0]), (x[1], y[1]))
        return float(np.min(depth))


def _draw_path(space: Axes3D, points: np.ndarray, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Iterates with arrows from each to the next; what the surface hides is faint. Long paths have lines alone."""
    steps = len(points) - 1
    count = min(PIECES, max(2, ROOM // steps))  # of pieces of a step
    parts = np.append(np.arange(steps * count) / count, steps)
    line = np.column_stack([np.interp(parts, np.arange(steps + 1), values) for values in points.T])
    behind = hidden((line[1:] + line[:-1]) / 2, ranges)
    for chosen, alpha in ((~behind, 1.0), (behind, FAINT)):
        drawn = np.append(chosen, False) | np.append(False, chosen)  # ends of pieces
        seen = np.where(drawn[:, None], line, np.nan)
        space.plot(*seen.T, color=VERMILLION, linewidth=1.1, alpha=alpha, zorder=3)
    if steps <= ARROWS:
        for start, end, covered in zip(points[:-1], points[1:], behind[count - 1 :: count], strict=True):
            if np.isfinite(end).all() and not covered:
                space.add_artist(_Arrow(start + 0.9 * (end - start), end))
    behind = hidden(points, ranges)
    for chosen, alpha, label in ((~behind, 1.0, "iterates"), (behind, FAINT, "iterates behind the surface")):
        if chosen.any():
            look = {"color": VERMILLION, "markeredgecolor": BLACK, "markersize": 5, "alpha": alpha}
            space.plot(*points[chosen].T, "o", label=label, zorder=4, **look)


def hidden(points: np.ndarray, ranges: Mapping[str, tuple[float, float]]) -> np.ndarray:
    """Which of the points `(count, 3)` on or above the surface it hides from the eye, `(count,)`.

    The line from a point to the eye, seen in parallel projection, is looked at as far as the surface goes.
    """
    tilt, turn = np.radians(VIEW["elev"]), np.radians(VIEW["azim"])
    corners = _height(*np.meshgrid(*(np.array(ranges[axis]) for axis in "xy")))
    sizes = np.array([*(high - low for low, high in ranges.values()), corners.max()])
    aspect = np.array([4.0, 4.0, 3.0])  # of matplotlib's box
    eye = np.array([np.cos(tilt) * np.cos(turn), np.cos(tilt) * np.sin(turn), np.sin(tilt)]) * sizes / aspect
    line = points[:, None] + np.linspace(0.02, 6, SIGHT)[:, None] * eye
    x, y, z = np.moveaxis(line, 2, 0)
    inside = (x >= ranges["x"][0]) & (x <= ranges["x"][1]) & (y >= ranges["y"][0]) & (y <= ranges["y"][1])
    return (inside & (z < _height(x, y))).any(1)


def _mark_published(space: Axes3D, recipe: Drawn[Params], algorithm: str, lr: float) -> None:
    """The last iterate that the authors' code gives, where the recipe's claims state it."""
    if [run.lr for run in recipe.params.runs if run.algorithm == algorithm] != [lr]:
        return  # it is not known which of several descents is the authors'
    values = {
        claim.options["axis"]: claim.published
        for claim in recipe.claims
        if "axis" in claim.options and claim.where.get("algorithm") == algorithm and claim.published is not None
    }
    if values.keys() == {"x", "y"}:
        x, y = (np.array([values[axis]]) for axis in "xy")
        space.plot(x, y, _height(x, y), "x", color=BLACK, markersize=10, label="last iterate, paper", zorder=5)
