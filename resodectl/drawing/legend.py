"""One legend below all panels: each curve once, and what bands, faint points and bars mean.

An artist that stands for no curve has one of the labels here; matplotlib leaves labels with an underscore out of its
own legends.
"""

from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from resodectl.drawing.colours import GREY

QUARTILES, SEEDS, INTERVAL, BARS = "_quartiles", "_seeds", "_interval", "_bars"


def legend_below(figure: Figure) -> None:
    """One legend below all panels, each label once, in as few rows as the width of the figure allows."""
    entries: dict[str, Artist] = {
        label: handle for ax in figure.axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    artists: list[Any] = [artist for ax in figure.axes for artist in (*ax.get_children(), *ax.containers)]
    drawn = {artist.get_label() for artist in artists}
    entries |= {text: handle for label, (text, handle) in _explained().items() if label in drawn}
    renderer = FigureCanvasAgg(figure).get_renderer()
    for rows in range(1, len(entries) + 1):
        columns = -(-len(entries) // rows)
        legend = figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=columns)
        if legend.get_window_extent(renderer).width <= figure.bbox.width or columns == 1:
            return
        legend.remove()


def legend_inside(ax: Axes) -> None:
    """A legend inside one panel, whose curves then stay out of the legend below: there a colour may mean another."""
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles, labels, loc="best", fontsize=8)
    for handle in handles:
        handle.set_label("_inside")


def _explained() -> dict[str, tuple[str, Artist]]:
    """What the marks mean that stand for no curve, and how a legend shows them."""
    return {
        QUARTILES: ("between the quartiles of the seeds", Patch(color=GREY, alpha=0.3, linewidth=0)),
        SEEDS: ("one seed", Line2D([], [], color=GREY, alpha=0.6, linestyle="", marker=".", markersize=5)),
        INTERVAL: ("95 % interval of the mean", Patch(color=GREY, alpha=0.35, linewidth=0)),
        BARS: ("two standard errors", Line2D([], [], color=GREY, linestyle="", marker="|", markersize=9)),
    }
