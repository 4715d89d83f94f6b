"""The one look of all figures: no display, no LaTeX, fonts that ship with matplotlib, colours safe for all readers.

Palette: M. Okabe, K. Ito, Color Universal Design, 2008.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib.style
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE = "#0072B2"
VERMILLION = "#D55E00"
GREEN = "#009E73"
ORANGE = "#E69F00"
PURPLE = "#CC79A7"
SKY = "#56B4E9"
BLACK = "#000000"
GREY = "#6E6E6E"
CYCLE = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, BLACK)
SEQUENCE = "viridis"  # for an ordered quantity, such as depth or time

PANEL = (3.9, 3.3)  # inches

_SETTINGS: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 10,
    "axes.prop_cycle": cycler(color=CYCLE),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
    "figure.dpi": 100,
    "figure.titlesize": 11.5,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "grid.color": "#E2E2E2",
    "grid.linewidth": 0.7,
    "image.cmap": SEQUENCE,
    "legend.borderaxespad": 0.3,
    "legend.fontsize": 8.5,
    "legend.framealpha": 0.85,
    "legend.frameon": True,
    "legend.edgecolor": "none",
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "mathtext.fontset": "dejavusans",
    "pdf.fonttype": 42,
    "savefig.dpi": 150,
    "svg.fonttype": "path",
    "svg.hashsalt": "resodectl",
    "text.hinting": "none",  # letters of one width at any resolution
    "text.usetex": False,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
}


@contextmanager
def style() -> Iterator[None]:
    """The style, for the length of a `with` block; a reader's own matplotlib settings have no part in it, and are as
    before afterwards."""
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
