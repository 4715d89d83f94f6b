"""Tables and JSON on stdout."""

import json
import os
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Any


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], fold: Collection[str] = ()) -> None:
    """Print a table; on a terminal that is too narrow the columns `fold` are folded, elsewhere none is."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 400, highlight=False)
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in headings:
        grid.add_column(heading, overflow="fold", no_wrap=heading not in fold)
    for row in rows:
        grid.add_row(*(cell.replace("[", r"\[") for cell in row))
    with console.capture() as captured:
        console.print(grid)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def document_on_stdout(value: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False))


def coloured(word: str, colour: str) -> str:
    """A word in a colour on a terminal, plain elsewhere."""
    codes = {"green": 32, "yellow": 33, "red": 31}
    return f"\033[{codes[colour]}m{word}\033[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else word
