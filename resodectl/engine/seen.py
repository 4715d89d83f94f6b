"""Whether files are still as they were when they were hashed."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from resodectl.errors import UserError


@dataclass(frozen=True)
class Seen:
    """A file as it was: its size in bytes (-1 where there was none), and when it was modified, in ns."""

    path: Path
    size: int
    modified: int


def seen(path: Path) -> Seen:
    """What is seen of a file now."""
    try:
        found = path.stat()
    except OSError:
        return Seen(path, -1, 0)
    return Seen(path, found.st_size, found.st_mtime_ns)


def require_unchanged(files: Iterable[Seen]) -> None:
    """Make sure that files are as they were seen.

    Raises:
        UserError: one has changed since it was hashed.
    """
    for known in files:
        if seen(known.path) != known:
            raise UserError(f"{known.path} has changed since the run began; run again")
