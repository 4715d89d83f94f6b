"""The figure of the comparison: for each example boxes of estimates, flow lines over the potential, and a table."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from resodectl.drawing.colours import BLACK, BLUE, GREY, ORANGE, SEQUENCE, SILVER, SKY, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import first_seed, in_order
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.neis.comparison.reference import log_best, ratios
from resodectl.families.neis.comparison.spec import LEARNED, VANILLA, WARNED, Params

DEPTH = 12.0  # decades below the highest density that are coloured
TOP = 2.5  # of the axis of the estimates over R
WIDTH = 0.8  # of the boxes of a method
EXACT = "R, or the best estimate where nobody knows R"
SMALL = 7.5  # letters, in points


def draw_comparison(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Estimates over R, lines of the first flow that is not warned of, means and deviations; a row for each example."""
    names = [example.name for example in recipe.params.examples]
    figure, axes = panels(len(names), 3, panel=(4.6, 3.5))
    for row, (name, rows) in enumerate(in_order(log["estimates"], "example", names)):
        left, middle, right = axes[3 * row : 3 * row + 3]
        warnings = log["warnings"][log["warnings"]["example"] == name]
        rows, reference = _over_reference(rows)
        _boxes(left, rows, name, reference)
        _lines(middle, log, recipe, name)
        _table(right, rows, warnings, reference)
    return finish(figure, recipe)


def _over_reference(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    if rows["log_exact"].notna().all():
        return rows.assign(ratio=ratios(rows)), "R"
    best, method = log_best(rows)
    return rows.assign(ratio=ratios(rows.assign(log_exact=best))), f"best ({method})"


def _boxes(ax: Axes, rows: pd.DataFrame, name: str, reference: str) -> None:
    """A box for each method, or for each of its trained flows, side by side."""
    labels = []
    for place, (method, of) in enumerate(rows.groupby("method", sort=False)):
        runs = [own for _, own in of.groupby(["seed", "training"])]
        flows = [own["ratio"] for own in runs]
        offsets = (np.arange(len(flows)) - (len(flows) - 1) / 2) / len(flows)
        boxes = ax.boxplot(
            flows, positions=place + WIDTH * offsets, widths=0.85 * WIDTH / len(flows), patch_artist=True,
            manage_ticks=False, medianprops={"color": BLACK},
            flierprops={"marker": ".", "markersize": 4, "markeredgecolor": GREY},
        )  # fmt: skip
        for box, own in zip(boxes["boxes"], runs, strict=True):
            box.set(facecolor=_colour(str(method)), linewidth=0.8, hatch="///" if own["warned"].all() else None)
        labels.append(f"{method}\n{_short(of['queries'].mean())} queries")
        if of["ratio"].median() > TOP:
            ax.annotate("above", (place, TOP), ha="center", va="top", fontsize=SMALL, color=GREY)
    ax.axhline(1.0, linestyle="--", color="red", linewidth=1.1, label=EXACT, zorder=1.5)
    ax.set_xticks(range(len(labels)), labels, rotation=45, ha="right", rotation_mode="anchor", fontsize=SMALL)
    ax.set(xlim=(-0.6, len(labels) - 0.4), ylim=(-0.05, TOP), title=name, ylabel=f"estimate / {reference}")


def _colour(method: str) -> str:
    if method == LEARNED:
        return BLUE
    if method.startswith(LEARNED):
        return SILVER
    return VERMILLION if method == VANILLA else ORANGE


def _short(queries: float) -> str:
    """A number of queries in three digits.

    >>> _short(122000.0), _short(1.62e6), _short(850.0)
    ('122k', '1.62M', '850')
    """
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if queries >= size:
            return f"{queries / size:.3g}{letter}"
    return f"{queries:.0f}"


def _lines(ax: Axes, log: Mapping[str, pd.DataFrame], recipe: Drawn[Params], name: str) -> None:
    """log10 of the density in the plane of the first two coordinates, and lines of a flow over it."""
    (example,) = (of for of in recipe.params.examples if of.name == name)
    ax.set(
        xlim=example.view[0],
        ylim=example.view[1],
        xlabel="$x_1$",
        ylabel="$x_2$",
        title="flow lines, $-1<t<1$",
        aspect="equal",
    )
    ax.grid(visible=False)
    potential, lines = (first_seed(_of_one_method(log[kind], name)) for kind in ("potential", "lines"))
    table = potential.pivot(index="y", columns="x", values="log_density") / np.log(10)
    table = (table - table.max().max()).clip(lower=-DEPTH)
    filled = ax.contourf(table.columns, table.index, table, levels=np.linspace(-DEPTH, 0, 13), cmap=SEQUENCE)
    ax.figure.colorbar(filled, ax=ax, label="$\\log_{10}\\rho_1$ below its maximum")
    lines = lines.sort_values(["line", "node"])
    paths = [own[["x", "y"]].to_numpy() for _, own in lines.groupby("line")]
    ax.add_collection(LineCollection(paths, colors="white", linewidths=0.5, alpha=0.7))
    starts = lines[lines["node"] == lines["node"].max() // 2]
    ax.plot(starts["x"], starts["y"], ".", color=SKY, markersize=2)


def _of_one_method(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows of an example, of learned flows if there are any."""
    of = rows[rows["example"] == name]
    methods = set(of["method"])
    return of[of["method"] == (LEARNED if LEARNED in methods else min(methods))]


def _table(ax: Axes, rows: pd.DataFrame, warnings: pd.DataFrame, reference: str) -> None:
    """Mean and deviation of the estimates, cost of a sample, and the unseen share, a row a method."""
    ax.set_axis_off()
    ax.set_title("mean and deviation of the estimates")
    cells: list[list[str]] = []
    for method, own in rows.groupby("method", sort=False):
        spread = own.groupby(["seed", "training"])["ratio"].std(ddof=1).mean()
        cost = (own["variance"] * own["queries_each"]).mean()
        of = warnings[warnings["method"] == method]
        known, unseen, warned = of["unseen_share"].notna().any(), "", ""
        if known or of["warned"].any():  # not annealing, which is not checked
            unseen = f"{of['unseen_share'].mean():.1%}" if known else "unknown"
            warned = f"{of['warned'].sum()} of {len(of)}"
        cells.append([str(method), f"{own['ratio'].mean():.3f}", f"{spread:.3f}", f"{cost:.2g}", unseen, warned])
    head = ["method", "mean", "std", "var. x queries", "unseen", "warned"]
    table = ax.table(cells, colLabels=head, loc="upper center", cellLoc="right", edges="horizontal")
    table.auto_set_font_size(False)
    table.set_fontsize(SMALL)
    table.auto_set_column_width(range(len(head)))
    for (line, column), cell in table.get_celld().items():
        cell.set_edgecolor(SILVER)
        if line and not cells[line - 1][5].startswith("0"[: len(cells[line - 1][5])]):
            cell.get_text().set_color(VERMILLION)
        if column == 0:
            cell.get_text().set_horizontalalignment("left")
    ax.annotate(
        f"estimates over {reference}; unseen: share of R above the largest weight seen,\n"
        f"from an independent annealing; warned and hatched above {WARNED:.0%}: a mode is likely missing",
        (0.0, 0.0), xycoords="axes fraction", fontsize=SMALL, color=GREY, va="bottom",
    )  # fmt: skip
