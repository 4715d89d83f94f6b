"""Progress on stderr: cells done, time left and the current cell on a terminal; a line a figure elsewhere."""

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from resodectl.engine.worker import Outcome, Task


class Progress:
    """Shows the progress of a run. Silent if `quiet`."""

    def __init__(self, waiting: Sequence[Task], quiet: bool) -> None:
        self._labels = {task.address: task.label for task in waiting}
        self._quiet = quiet
        self._done = 0
        self._bar: Any = None
        if not quiet and waiting and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                BarColumn(24),
                MofNCompleteColumn(),
                TextColumn("cells"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[cell]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task("", total=len(waiting), cell="")

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def report(self, address: str, fraction: float) -> None:
        """A cell has begun, or come so far."""
        if self._bar is not None:
            share = f" ({fraction:.0%})" if fraction else ""
            self._bar.update(self._task, cell=self._labels.get(address, "") + share)

    def done(self, outcome: Outcome) -> None:
        """A cell is finished, or has failed."""
        self._done += 1
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done)

    def say(self, message: str) -> None:
        """A line for the person at the terminal or the reader of CI's log."""
        if self._quiet:
            return
        if self._bar is not None:
            self._bar.console.print(message, highlight=False, soft_wrap=True)
        else:
            print(message, file=sys.stderr)
