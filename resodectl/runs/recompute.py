"""Whether stored cells are what a simulation gives: some are computed again, and compared with the store bit for bit.

Unseeded random numbers, and whatever depends on time, on the environment or on the order of the cells, show as a
difference. The cells are computed in the reverse of their order, in processes of their own; the store stays as it is.
"""

import hashlib
import io
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from resodectl.engine.executors import Executor
from resodectl.engine.run import run
from resodectl.engine.store import Store
from resodectl.engine.tables import unpack
from resodectl.engine.worker import Outcome, Task
from resodectl.experiment.catalogue import Experiment


@dataclass(frozen=True)
class Difference:
    """The first value that differs: `row` counts from 0, and is None where the numbers of rows differ."""

    cell: str
    kind: str
    column: str
    row: int | None
    stored: Any
    computed: Any

    def __str__(self) -> str:
        if self.row is None:
            return f"{self.cell}: the kind '{self.kind}' has {self.stored} rows in the store, and now {self.computed}"
        return (
            f"{self.cell}: kind '{self.kind}', column '{self.column}', row {self.row}: {self.stored} in the store, "
            f"and now {self.computed}"
        )


@dataclass(frozen=True)
class Recomputed:
    """What became of the cells that were computed again."""

    cells: int
    differences: tuple[Difference, ...]
    errors: tuple[str, ...]


def chosen(tasks: Sequence[Task], store: Store, most: int | None) -> list[Task]:
    """The stored ones among tasks, in the reverse of their order: all, or at most `most` that are spread over them."""
    known = store.find(task.address for task in tasks)
    stored = list({task.address: task for task in reversed(tasks) if task.address in known}.values())
    if most is None or most >= len(stored):
        return stored
    return [stored[index * len(stored) // most] for index in range(most)]


def recompute(
    tasks: Sequence[Task], store: Store, using: Executor, done: Callable[[Outcome], None] = lambda outcome: None
) -> Recomputed:
    """Compute stored cells again, in the order of `tasks`, and compare them with the store; `done` hears of each."""
    differences: list[Difference] = []
    errors: list[str] = []
    by_address = {task.address: task for task in tasks}
    with tempfile.TemporaryDirectory(prefix="resodectl-") as folder:
        scratch = Store(Path(folder))
        for outcome in run([replace(task, store=scratch.folder) for task in tasks], using):
            done(outcome)
            if outcome.error:
                errors.append(outcome.error.partition(f" (where: {folder}")[0])
                continue
            task = by_address[outcome.address]
            try:
                differences.extend(_difference(task, _read(store, task), _read(scratch, task)))
            except OSError as error:
                errors.append(f"{task.label}: {error}")
    return Recomputed(len(tasks), tuple(differences), tuple(errors))


def _read(store: Store, task: Task) -> bytes:
    """The bytes of a cell; nothing is set aside.

    Raises:
        OSError: its file is gone or damaged.
    """
    entry = store.find([task.address]).get(task.address)
    data = entry.path.read_bytes() if entry is not None else b""
    if entry is None or hashlib.sha256(data).hexdigest() != entry.sha256:
        raise OSError("its stored file is gone or damaged; run `resodectl store verify`")
    return data


def _difference(task: Task, stored: bytes, computed: bytes) -> list[Difference]:
    """The first difference between the two files of a cell, if there is one."""
    if stored == computed:
        return []
    log = Experiment(task.identity["experiment"]).spec.LOG
    before, now = (unpack(pq.read_table(io.BytesIO(data)), log) for data in (stored, computed))
    for kind in log:
        one, other = before[kind], now[kind]
        if one.num_rows != other.num_rows:
            return [Difference(task.label, kind, "", None, one.num_rows, other.num_rows)]
        firsts = [(row, name) for name in one.column_names if (row := _first(one[name], other[name])) is not None]
        if firsts:
            row, name = min(firsts, key=lambda first: first[0])
            return [Difference(task.label, kind, name, row, one[name][row].as_py(), other[name][row].as_py())]
    return []


def _first(one: pa.ChunkedArray, other: pa.ChunkedArray) -> int | None:
    """The first row in which two columns differ in a bit."""
    first, second = (np.asarray(column.to_numpy()) for column in (one, other))
    if first.dtype.kind == "f":
        first, second = (values.view(f"u{values.itemsize}") for values in (first, second))
    differing = np.flatnonzero(first != second)
    return int(differing[0]) if len(differing) else None
