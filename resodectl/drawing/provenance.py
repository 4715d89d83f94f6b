"""What a figure was made from, as a line in its metadata that says whether it need be drawn again.

A file is current if it is whole and says that it was made from the same package version, recipe, log and drawing code,
with the same footer. Nothing here imports matplotlib: a run that draws nothing does without it.
"""

import hashlib
from dataclasses import astuple, dataclass
from pathlib import Path

# How a whole file begins and ends.
_SIGNATURES = {
    "png": (b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"),
    "pdf": (b"%PDF-", b"%%EOF\n"),
    "svg": (b"<?xml", b"</svg>\n"),
}


@dataclass(frozen=True)
class Provenance:
    """What a figure is made from: the package version, and digests of the recipe, the log and the drawing code."""

    version: str
    recipe: str
    log: str
    drawing: str

    def stamp(self, footer: str) -> str:
        """The one line of plain letters that a figure carries in its metadata."""
        parts = zip(("version", "recipe", "log", "drawing", "footer"), (*astuple(self), _digest(footer)), strict=True)
        return "resodectl figure: " + ", ".join(f"{key} {value}" for key, value in parts)


def is_current(path: Path, provenance: Provenance, footer: str = "") -> bool:
    """Whether a figure stands there, whole, that was made from exactly this."""
    try:
        data = path.read_bytes()
    except OSError:
        return False
    begins, ends = _SIGNATURES[path.suffix[1:]]
    return data.startswith(begins) and data.endswith(ends) and provenance.stamp(footer).encode() in data


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
