"""What a gallery holds of a recipe: its picture, and its verdicts with six significant digits.

The last digits of a value and the bytes of a file differ from processor to processor; a gallery that is committed shall
change only where a reader can see it.
"""

import io
from pathlib import Path
from typing import Any

from resodectl.files import write_if_changed
from resodectl.runs.manifest import to_json

DIGITS = 6
_END = b"IEND\xaeB`\x82"


def show_picture(path: Path, picture: bytes) -> None:
    """Write a picture (PNG), unless one with the same pixels is there."""
    try:
        known = path.read_bytes()
    except FileNotFoundError:
        known = b""
    if not same_pixels(known, picture):
        write_if_changed(path, picture)


def show_verdicts(path: Path, verdicts: dict[str, Any]) -> None:
    """Write verdicts with the digits that a gallery keeps, unless they are there."""
    write_if_changed(path, to_json(rounded(verdicts)))


def rounded(verdicts: Any) -> Any:
    """Verdicts whose estimates have six significant digits, and all digits before the point; the bands stay as given.

    >>> rounded({"within": [0.12345678, None], "estimate": {"value": 0.12345678, "low": 1234567.8, "units": 8}})
    {'within': [0.12345678, None], 'estimate': {'value': 0.123457, 'low': 1234568.0, 'units': 8}}
    """
    if isinstance(verdicts, list):
        return [rounded(part) for part in verdicts]
    if not isinstance(verdicts, dict):
        return verdicts
    return {
        key: {name: _number(number) for name, number in part.items()}
        if key == "estimate" and isinstance(part, dict)
        else rounded(part)
        for key, part in verdicts.items()
    }


def _number(value: Any) -> Any:
    """A number as it is shown. The order of two numbers stays, and whole numbers stay as they are."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.{DIGITS}g}" if abs(value) < 10**DIGITS else round(value)) + 0.0  # no negative zero


def same_pixels(one: bytes, other: bytes) -> bool:
    """Whether two PNG files show the same; a file that is not whole shows nothing."""
    if not (one.endswith(_END) and other.endswith(_END)):
        return False
    if _image_data(one) == _image_data(other):
        return True
    from PIL import Image

    try:
        with Image.open(io.BytesIO(one)) as first, Image.open(io.BytesIO(other)) as second:
            alike = (first.mode, first.size) == (second.mode, second.size)
            return alike and first.tobytes() == second.tobytes()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False


def _image_data(png: bytes) -> bytes:
    """The header and the compressed pixels of a PNG file, without its text; these are compared in no time."""
    parts, at = [], 8
    while at + 12 <= len(png):
        length, kind = int.from_bytes(png[at : at + 4], "big"), png[at + 4 : at + 8]
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT"):
            parts.append(png[at : at + 12 + length])
        at += 12 + length
    return b"".join(parts)
