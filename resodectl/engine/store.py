"""The store: one Parquet file a cell, named by its address and by the SHA-256 of its bytes.

`<store>/<aa>/<address>.<sha256>.parquet`. Look-up is by name only; a file whose bytes do not match its name is set
aside and its cell computed again. Any number of processes may share a store: files appear whole, by renaming.
"""

import hashlib
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resodectl.files import write_atomically

DAY = 86_400.0
SPARED = 1.0 * DAY
_SUFFIX = ".parquet"


@dataclass(frozen=True)
class Entry:
    """One stored cell."""

    path: Path

    @property
    def address(self) -> str:
        return self.path.name.split(".")[0]

    @property
    def sha256(self) -> str:
        return self.path.name.split(".")[1]


class Store:
    """The folder of finished cells."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, addresses: Iterable[str]) -> dict[str, Entry]:
        """The stored cells among `addresses`; each folder is listed once and no file is opened."""
        by_folder: dict[str, set[str]] = defaultdict(set)
        for address in addresses:
            by_folder[address[:2]].add(address)
        found: dict[str, Entry] = {}
        for name, wanted in by_folder.items():
            for entry in self._entries(self.folder / name):
                if entry.address in wanted:
                    found.setdefault(entry.address, entry)
        return found

    def __iter__(self) -> Iterator[Entry]:
        for folder in sorted(self.folder.glob("[0-9a-f][0-9a-f]")):
            yield from self._entries(folder)

    def put(self, address: str, data: bytes) -> Entry:
        """Keep the Parquet bytes of a cell: whole and on disk, or not at all."""
        folder = self.folder / address[:2]
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{address}.{hashlib.sha256(data).hexdigest()}{_SUFFIX}"
        write_atomically(path, data)
        return Entry(path)

    def get(self, entry: Entry) -> bytes | None:
        """The verified bytes of a cell; None if they were damaged (the file is then set aside, with a warning)."""
        try:
            data = entry.path.read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(data).hexdigest() == entry.sha256:
            return data
        self.set_aside(entry)
        return None

    def set_aside(self, entry: Entry) -> None:
        """Move a damaged file to `<store>/damaged/`, so that its cell is computed again."""
        aside = self.folder / "damaged"
        aside.mkdir(parents=True, exist_ok=True)
        entry.path.replace(aside / entry.path.name)
        print(
            f"warning: {entry.path} is damaged; set aside in {aside}, its cell will be computed again", file=sys.stderr
        )

    def keep_newest(self, address: str) -> None:
        """Delete all files of a cell but the newest, after it was computed again."""
        *older, _ = sorted(
            (e.path for e in self._entries(self.folder / address[:2]) if e.address == address), key=_modified
        )
        for path in older:
            path.unlink(missing_ok=True)

    def gc(self, keep: Iterable[str], dry_run: bool = False, older_than: float = SPARED) -> list[Entry]:
        """Delete cells that are not in `keep`, and leftovers, if older than `older_than` seconds; returns the cells."""
        keep, latest = set(keep), time.time() - older_than
        doomed = [entry for entry in self if entry.address not in keep and _modified(entry.path) < latest]
        leftovers = [path for pattern in ("*/.*.tmp", "checkpoints/*", "damaged/*", "failures/*")
                     for path in self.folder.glob(pattern) if _modified(path) < latest]  # fmt: skip
        for path in () if dry_run else (*(entry.path for entry in doomed), *leftovers):
            path.unlink(missing_ok=True)
        return doomed

    def _entries(self, folder: Path) -> list[Entry]:
        try:
            names = sorted(os.listdir(folder))
        except FileNotFoundError:
            return []
        return [Entry(folder / name) for name in names if name.endswith(_SUFFIX) and name.count(".") == 2]


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def metadata(path: Path) -> dict[str, Any]:
    """What a cell's file says of itself: its identity and what it cost."""
    import pyarrow.parquet as pq

    found = pq.read_schema(path).metadata or {}
    return json.loads(found.get(b"resodectl", b"{}"))
