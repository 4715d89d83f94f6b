"""Saving figures: the same bytes for the same figure, and in them what the figure was made from."""

import io
import warnings
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from resodectl.drawing.colours import GREY
from resodectl.drawing.provenance import Provenance, is_current
from resodectl.drawing.style import style
from resodectl.files import write_atomically

FOOTER_SIZE = 7.0  # points
GAP = 0.08  # inches between the figure and its footer
MARGIN = 0.06  # inches around both
ROOM = 0.97  # of the width, for formats whose letters run a little wider
LINES = 2  # of the footer, at most
CUT = "... (more in manifest.json)"


def save(figure: Figure, stem: Path, formats: tuple[str, ...], provenance: Provenance, footer: str = "") -> list[Path]:
    """Write `stem`.png, .pdf, .svg with the footer below the figure; returns the files.

    A file that is current is left untouched; any other appears whole or not at all.

    Raises:
        OSError: a file cannot be written.
    """
    paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in formats]
    stale = [path for path in paths if not is_current(path, provenance, footer)]
    if stale:
        with _quiet(), style(), _laid_out(figure, footer) as box:
            for path in stale:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, _render(figure, path.suffix[1:], provenance, footer, box))
    return paths


@contextmanager
def _quiet() -> Iterator[None]:
    """No warning of each letter that the font lacks: the figure has a box for it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        yield


@contextmanager
def _laid_out(figure: Figure, footer: str) -> Iterator[Bbox]:
    """The figure with its layout fixed and the footer below all that it shows; gives the box of both, in inches."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    engine = figure.get_layout_engine()
    figure.set_layout_engine("none")
    # These would move with the box that is saved.
    legends = [legend for legend in figure.legends if legend.get_bbox_to_anchor() is figure.bbox]
    for legend in legends:
        legend.set_bbox_to_anchor((0, 0, 1, 1), transform=figure.transFigure)
    shown = Bbox.union([figure.get_tightbbox(renderer), figure.bbox_inches])
    text = figure.text(0, 0, "", va="top", fontsize=FOOTER_SIZE, color=GREY, parse_math=False, linespacing=1.25)
    _wrap(text, footer, ROOM * shown.width * figure.dpi, renderer)
    text.set_position((shown.x0 / figure.bbox_inches.width, (shown.y0 - GAP) / figure.bbox_inches.height))
    placed = text.get_window_extent(renderer).transformed(figure.dpi_scale_trans.inverted())
    try:
        yield (Bbox.union([shown, placed]) if footer else shown).padded(MARGIN)
    finally:
        text.remove()
        for legend in legends:
            legend.set_bbox_to_anchor(None)
        figure.set_layout_engine(engine)


def _wrap(text: Text, content: str, width: float, renderer: RendererBase) -> None:
    """Give `text` its content in lines at most `width` pixels long, and as many as there may be.

    A word that is longer than a line is broken; what does not fit is left out, and the end says so.
    """

    def fits(line: str) -> bool:
        text.set_text(line)
        return text.get_window_extent(renderer).width <= width

    lines = [""]
    for part in content.split():
        if lines[-1] and not fits(f"{lines[-1]} {part}"):
            lines.append("")
        lines[-1] = f"{lines[-1]} {part}".strip()
        while len(word := lines[-1]) > 1 and not fits(word):
            cut = max(1, bisect_left(range(1, len(word)), True, key=lambda length: not fits(word[:length])))
            lines[-1:] = [word[:cut], word[cut:]]
    if len(lines) > LINES:
        words = lines[LINES - 1].split()
        while words and not fits(" ".join([*words, CUT])):
            words.pop()
        lines = [*lines[: LINES - 1], " ".join([*words, CUT])]
    text.set_text("\n".join(lines))


def _render(figure: Figure, suffix: str, provenance: Provenance, footer: str, box: Bbox) -> bytes:
    stamp, made_by = provenance.stamp(footer), f"resodectl {provenance.version}"
    metadata: dict[str, dict[str, Any]] = {
        "png": {"Software": made_by, "Comment": stamp},
        "pdf": {"Creator": made_by, "Producer": made_by, "Keywords": stamp, "CreationDate": None},
        "svg": {"Creator": made_by, "Description": stamp, "Date": None},
    }
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix, metadata=metadata[suffix], bbox_inches=box)
    return buffer.getvalue()
