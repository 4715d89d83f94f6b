"""Tables and JSON on stdout.

A name is never cut. On a terminal that is too narrow for a table, its prose is folded, and the columns that still do
not fit stand below the others, a line each. Where stdout is no terminal, nothing is folded.
"""

import json
import os
import shutil
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Any

LEAST = 24  # cells: prose is not folded to less
GAP = INDENT = "  "


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], fold: Collection[str] = ()) -> None:
    """Print a table.

    Args:
        fold: the columns of prose, which may be folded.
    """
    for line in lines(headings, [tuple(row) for row in rows], fold, _terminal_width()):
        print(line)


def lines(
    headings: Sequence[str], rows: Sequence[Sequence[str]], fold: Collection[str], width: int | None
) -> list[str]:
    """The lines of a table that is at most `width` cells wide (None: as wide as need be), but for longer names.

    >>> print(*lines(("recipe", "shows"), [("heun/order", "The order of Heun networks")], ("shows",), 34), sep="\\n")
    recipe
      shows
    ────────────────────────────
    heun/order
      The order of Heun networks
    """
    prose = [heading in fold for heading in headings]
    columns = list(zip(headings, *rows, strict=True))
    natural = [max(_width(line) for cell in column for line in cell.split("\n")) for column in columns]
    widths = natural if width is None else _fitted(natural, _least(columns, natural, prose), width)
    below = headings[len(widths) :]
    labels = [f"{heading}: " if heading and len(below) > 1 else "" for heading in below]
    first = _row(headings if len(below) == 1 else headings[: len(widths)], widths, prose, labels, width)
    others = [_row(row, widths, prose, labels, width) for row in rows]
    longest = max(_width(line) for row in (first, *others) for line in row)
    rule = _shown("─", "-") * (longest if width is None else min(longest, width))
    apart = [""] if len(below) > 1 else []
    return [*first, rule, *(line for number, row in enumerate(others) for line in (*(apart if number else ()), *row))]


def _least(columns: Sequence[Sequence[str]], natural: Sequence[int], prose: Sequence[bool]) -> list[int]:
    """The widths to which columns may be folded: prose to its longest word, all else not at all."""
    words = [max(_width(word) for cell in column for word in cell.split()) if any(column) else 0 for column in columns]
    return [
        min(cells, max(LEAST, longest)) if folds else cells
        for cells, longest, folds in zip(natural, words, prose, strict=True)
    ]


def _fitted(natural: Sequence[int], least: Sequence[int], width: int) -> list[int]:
    """The widths of the columns that stand side by side: the first of all, and those after it that fit."""
    count = 1
    while count < len(least) and sum(least[: count + 1]) + len(GAP) * count <= width:
        count += 1
    widths, spare = list(least[:count]), width - sum(least[:count]) - len(GAP) * (count - 1)
    while spare > 0 and (narrow := [i for i in range(count) if widths[i] < natural[i]]):
        for column in narrow[:spare]:
            widths[column] += 1
            spare -= 1
    return widths


def _row(
    parts: Sequence[str], widths: Sequence[int], prose: Sequence[bool], labels: Sequence[str], width: int | None
) -> list[str]:
    """The lines of one row: the columns that have a width side by side, each of the others below, with its label."""
    columns = [
        _folded(part, cells if folds else None) for part, cells, folds in zip(parts, widths, prose, strict=False)
    ]
    placed = []
    for number in range(max(map(len, columns))):
        cells = [column[number] if number < len(column) else "" for column in columns]
        padded = [cell + " " * (room - _width(cell)) for cell, room in zip(cells, widths, strict=True)]
        placed.append(GAP.join(padded).rstrip())
    for part, folds, label in zip(parts[len(widths) :], prose[len(widths) :], labels, strict=False):
        room = None if width is None or not folds else max(LEAST, width - len(INDENT))
        placed += [INDENT + line for line in _folded(label + part, room) if part]
    return placed


def _folded(text: str, width: int | None) -> list[str]:
    """Text in lines of at most `width` cells, folded at spaces; a longer word stays whole."""
    if width is None:
        return text.split("\n")
    folded = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            if line and _width(line) + 1 + _width(word) > width:
                folded.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        folded.append(line)
    return folded


def _width(text: str) -> int:
    """The cells of a terminal that a text takes; wide letters take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _terminal_width() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _shown(text: str, instead: str) -> str:
    """A text, or what stands for it where stdout cannot show it."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return instead
    return text


def document_on_stdout(value: Any) -> None:
    """Print one JSON document; what stdout cannot show is escaped."""
    text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False)
    print(_shown(text, json.dumps(value, indent=2, allow_nan=False)))


def coloured(word: str, colour: str) -> str:
    """A word in a colour on a terminal, plain elsewhere."""
    codes = {"green": 32, "yellow": 33, "red": 31}
    return f"\033[{codes[colour]}m{word}\033[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else word
