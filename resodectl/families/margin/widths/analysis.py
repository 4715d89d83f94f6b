"""How margins grow with the width and stop below what no width can pass, and the figure that shows it.

Chizat & Bach 2020 (arXiv 2002.04486).
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, over_units
from resodectl.drawing.axes import depth_axis, note
from resodectl.drawing.colours import BLACK, BLUE, GREEN, GREY, ORANGE
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import last
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.margin.widths.spec import Params

COLOURS = (BLUE, GREEN, ORANGE)


def measure_share_of_largest(rows: pd.DataFrame) -> Estimate:
    """The margin of one width over the bound in the rows of width 0; its mean over seeds."""
    of = _shares(rows).pivot(index="seed", columns="width", values="share")
    return over_units(of.iloc[:, 0] if of.shape[1] == 1 else [])


def measure_width_ratio(rows: pd.DataFrame) -> Estimate:
    """The margin at the smaller width over that at the larger one of the same seed; its mean over seeds."""
    of = rows.pivot(index="seed", columns="width", values="margin")
    return over_units(of[of.columns.min()] / of[of.columns.max()])


def _shares(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of finite widths, with their share of the bound of the same dimension and seed; NaN if there is none."""
    bounds = rows[rows["width"] == 0].set_index(["dim", "seed"])["upper"]
    of = rows[rows["width"] > 0]
    bound = bounds.reindex(pd.MultiIndex.from_frame(of[["dim", "seed"]])).to_numpy()
    return of.assign(share=of["margin"] / bound)


def draw_widths(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Margins of both layers by width, in the last of the dimensions; the shares in all; those of the output layer."""
    rows, params = last(log["margins"], "step", each=["dim", "method", "width"]), recipe.params
    dims = sorted(params.dims, reverse=True)
    both, output = (rows[rows["method"].isin([name, f"largest-{name}"])] for name in ("both", "output"))
    figure, axes = panels(1, 3, panel=(3.9, 3.6))
    first = both[both["dim"] == dims[0]]
    _crosses(axes[0], first[first["width"] > 0], "margin", BLUE, f"$d = {dims[0]}$")
    bounds = first[first["width"] == 0]["upper"]
    axes[0].axhline(
        bounds.mean(), linestyle="--", color=BLACK, linewidth=1.2, label=f"{_kind(dims[0])} bound of any width, mean"
    )
    axes[0].axhspan(
        bounds.min(),
        bounds.max(),
        color=GREY,
        alpha=0.15,
        linewidth=0,
        label="from the least to the largest bound of the seeds",
    )
    axes[0].set_ylim(0, 1.05 * bounds.max())
    axes[0].set_title(f"both layers, $d = {dims[0]}$")
    axes[0].set_ylabel("margin $\\gamma_t$, largest over $t$")
    titles = ("both layers, share of the largest", "output layer, share of infinite width")
    for ax, of, title in zip(axes[1:], (both, output), titles, strict=True):
        shares = _shares(of)
        for dim, colour in zip(dims, COLOURS, strict=False):
            _crosses(ax, shares[shares["dim"] == dim], "share", colour, f"$d = {dim}$")
        ax.axhline(1, linestyle="--", color=BLACK, linewidth=1.2)
        ax.set_title(title)
        ax.set_ylabel("margin, share")
        ax.set_ylim(0, 1.1 * max(1.0, shares["share"].max()))
    for dim, colour in zip(dims, COLOURS, strict=False):
        largest = both[(both["dim"] == dim) & (both["width"] == 0)]
        reached = float((largest["margin"] / largest["upper"]).mean())
        axes[1].axhspan(
            reached, 1, color=colour, alpha=0.3, linewidth=0, label=f"$d = {dim}$, gap below the {_kind(dim)} bound"
        )
    for ax, widths in zip(axes, (params.widths, params.widths, params.output_widths), strict=True):
        depth_axis(ax, widths, "width $m$")
    return finish(figure, recipe)


def _kind(dim: int) -> str:
    return "certified" if dim == 3 else "estimated"


def _crosses(ax: Axes, rows: pd.DataFrame, column: str, colour: str, label: str) -> None:
    """A cross a seed, and a thick line through the means."""
    ax.plot(rows["width"], rows[column], "x", color=colour, alpha=0.6, markersize=4.5, label=f"{label}, one seed")
    if hidden := int((rows[column] < 0).sum()):
        note(ax, f"{hidden} of {len(rows)} crosses of {label} are below 0", "lower right")
    means = rows.groupby("width")[column].mean()
    ax.plot(means.index.to_numpy(), means.to_numpy(), "-", color=colour, linewidth=2.2, label=f"{label}, mean")
