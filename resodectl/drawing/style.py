"""The one look of all figures: seaborn's theme for papers, no display, no LaTeX, fonts that ship with matplotlib."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib.style
import seaborn
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.drawing.colours import CYCLE, SEQUENCE

PANEL = (3.9, 3.3)  # inches

_SETTINGS: dict[Any, Any] = {
    **seaborn.axes_style("ticks"),
    **seaborn.plotting_context("paper"),
    "axes.grid": True,
    "axes.prop_cycle": cycler(color=CYCLE),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
    "figure.dpi": 100,
    "figure.titlesize": 11.5,
    "font.sans-serif": ["DejaVu Sans"],
    "grid.color": ".89",
    "image.cmap": SEQUENCE,
    "legend.borderaxespad": 0.3,
    "legend.edgecolor": "none",
    "legend.handlelength": 3.4,  # enough for a dash on both sides of a marker
    "lines.linewidth": 1.6,
    "mathtext.fontset": "dejavusans",
    "patch.force_edgecolor": False,
    "pdf.fonttype": 42,
    "savefig.dpi": 150,
    "svg.fonttype": "path",
    "svg.hashsalt": "resodectl",
    "text.hinting": "none",  # letters of one width at any resolution
    "text.usetex": False,
}


@contextmanager
def style() -> Iterator[None]:
    """The style, for the length of a `with` block.

    A reader's own matplotlib settings have no part in it; they are as before afterwards.
    """
    with matplotlib.style.context(["default", _SETTINGS]):
        yield


def panels(
    rows: int = 1,
    columns: int = 1,
    *,
    panel: tuple[float, float] = PANEL,
    sharex: bool = False,
    sharey: bool = False,
) -> tuple[Figure, list[Axes]]:
    """A figure of rows x columns panels, each `panel` inches wide and high, and its axes row by row.

    The figure belongs to nobody but the caller: no display, and no list of open figures that would grow.
    """
    figure = Figure(figsize=(panel[0] * columns, panel[1] * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=sharex, sharey=sharey, squeeze=False)
    return figure, list(grid.flat)
