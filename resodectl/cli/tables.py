"""Tables and JSON on stdout."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

_COLOURS = {"holds": "green", "breaks": "green", "unclear": "yellow", "fails": "red", "broken": "red", "not run": "dim"}


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None, grow: int = -1) -> None:
    """Print a table; column `grow` is folded to fit a terminal, and nothing is folded elsewhere."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 400, highlight=False)
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, show_edge=False)
    for index, heading in enumerate(headings):
        made.add_column(heading, overflow="fold", no_wrap=index not in (grow, len(headings) + grow))
    for row in rows:
        made.add_row(
            *(f"[{_COLOURS[cell]}]{cell}[/]" if cell in _COLOURS else cell.replace("[", r"\[") for cell in row)
        )
    with console.capture() as captured:
        console.print(made)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def document_on_stdout(value: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False))
