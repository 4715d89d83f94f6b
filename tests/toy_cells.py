"""Cells of the family in tests/plugins, and what they leave in a store."""

import hashlib
import io
from pathlib import Path

import pyarrow.parquet as pq

from resodectl.engine.run import Execution, tasks
from resodectl.engine.store import Store
from resodectl.engine.tables import unpack
from resodectl.engine.worker import Task
from resodectl.recipe.load import Request, load
from resodectl.runs.plan import cells


def planned(toy: Path, store: Path, *sets: str, seeds: int = 4) -> list[Task]:
    recipe = load(toy, Request("laptop", sets, seeds))
    return tasks(cells(recipe), Execution(store, checkpoint_every_s=0.0))


def rows(store: Path, task: Task, log) -> dict[str, bytes]:
    found = Store(store)
    data = found.get(found.find([task.address])[task.address])
    kinds = unpack(pq.read_table(io.BytesIO(data)), log)
    return {kind: hashlib.sha256(repr(table.to_pydict()).encode()).digest() for kind, table in kinds.items()}
