"""The store: one Parquet file a cell, named by its address and by the SHA-256 of its bytes.

`<store>/<aa>/<address>.<sha256>.parquet`. Look-up is by name only; a file whose bytes or whose identity do not match
its name is set aside and its cell computed again. Any number of processes may share a store: files appear whole, by
renaming. Beside the cells stand what was measured of them, in `<store>/measured/` (resodectl/runs/kept.py),
what was found in the sources of the package (resodectl/engine/sources.py), and how long each cell took, in
`<store>/seconds/<aa>.txt`: a cell that is computed twice has the same bytes, for times are no part of it.
"""

import hashlib
import io
import json
import os
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from resodectl.engine.address import address as address_of
from resodectl.engine.sources import KEPT
from resodectl.files import write_atomically

MEASURED = "measured"
SECONDS = "seconds"
DAY = 86_400.0
SPARED = 1.0 * DAY
_LEFTOVERS = ("*/.*.tmp", "checkpoints/*", "damaged/*", "failures/*", f"{MEASURED}/*.json", KEPT)
_TIME = re.compile(r"[0-9]+\.[0-9]{3}")
_NAME = re.compile(r"[0-9a-f]{64}\.[0-9a-f]{64}\.parquet")


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
        entries: dict[str, Entry] = {}
        for name, wanted in by_folder.items():
            for entry in self._entries(self.folder / name):
                if entry.address in wanted:
                    entries.setdefault(entry.address, entry)
        return entries

    def __iter__(self) -> Iterator[Entry]:
        for folder in sorted(self.folder.glob("[0-9a-f][0-9a-f]")):
            yield from self._entries(folder)

    def put(self, address: str, data: bytes) -> Entry:
        """Keep the Parquet bytes of a cell: whole and on disk, or not at all."""
        folder = self.folder / address[:2]
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{address}.{hashlib.sha256(data).hexdigest()}.parquet"
        write_atomically(path, data)
        return Entry(path)

    def note(self, address: str, seconds: float) -> None:
        """Note how long a cell took; a store that takes no line is no error."""
        path = self.folder / SECONDS / f"{address[:2]}.txt"
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "ab", buffering=0) as file:  # one write: lines of several processes do not mix
                file.write(f"{address} {seconds:.3f}\n".encode())

    def seconds(self, addresses: Iterable[str]) -> dict[str, float]:
        """How long cells took when they were last computed, as far as it was noted."""
        wanted = set(addresses)
        noted: dict[str, float] = {}
        for name in {address[:2] for address in wanted}:
            with suppress(OSError):
                for line in (self.folder / SECONDS / f"{name}.txt").read_text("ascii", "replace").splitlines():
                    address, _, seconds = line.partition(" ")
                    if address in wanted and _TIME.fullmatch(seconds):
                        noted[address] = float(seconds)
        return noted

    def get(self, entry: Entry) -> bytes | None:
        """The bytes of a cell; None if they are damaged or another's (the file is then set aside, with a warning)."""
        data = self._whole(entry)
        if data is not None:
            identity = metadata(io.BytesIO(data)).get("identity")
            if identity is not None and address_of(identity) == entry.address:
                return data
            self.set_aside(entry)
        return None

    def is_whole(self, entry: Entry) -> bool:
        """Whether the bytes of a cell are those that its name says (the file is else set aside, with a warning)."""
        return self._whole(entry) is not None

    def _whole(self, entry: Entry) -> bytes | None:
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
        try:
            entry.path.replace(aside / entry.path.name)
        except FileNotFoundError:  # another reader was faster
            return
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
        leftovers = [path for pattern in _LEFTOVERS for path in self.folder.glob(pattern) if _modified(path) < latest]
        for path in () if dry_run else (*(entry.path for entry in doomed), *leftovers):
            path.unlink(missing_ok=True)
        if doomed and not dry_run:
            self._forget_seconds()
        return doomed

    def _forget_seconds(self) -> None:
        """Keep the times of stored cells only, the last of each."""
        for path in (self.folder / SECONDS).glob("??.txt"):
            stored = {entry.address for entry in self._entries(self.folder / path.stem)}
            kept = self.seconds(stored)
            write_atomically(path, "".join(f"{address} {s:.3f}\n" for address, s in kept.items()).encode())

    def _entries(self, folder: Path) -> list[Entry]:
        try:
            names = sorted(os.listdir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [Entry(folder / name) for name in names if _NAME.fullmatch(name)]


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def metadata(file: Path | BinaryIO) -> dict[str, Any]:
    """What a cell's file says of itself: its `identity` and the `parts` of its code; {} if it is no whole cell."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        about = json.loads((pq.read_schema(file).metadata or {})[b"resodectl"])
    except (OSError, ValueError, KeyError, pa.ArrowException):
        return {}
    whole = isinstance(about, dict) and isinstance(about.get("identity"), dict)
    return about if whole else {}
