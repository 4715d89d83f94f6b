"""The rows of stored cells: of a recipe, and of its controls."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from resodectl.claims.measures import PlacedControl
from resodectl.engine.run import Execution, run
from resodectl.engine.store import Entry, Store
from resodectl.engine.tables import unpack
from resodectl.engine.worker import Task
from resodectl.recipe.load import Recipe
from resodectl.runs import logs
from resodectl.runs.compute import executor
from resodectl.runs.plan import Job

Frames = dict[str, Any]


class StoredCells:
    """The rows of a recipe's stored cells, each cell read once.

    `entries` is where they stand, by address.
    """

    def __init__(self, recipe: Recipe, execution: Execution) -> None:
        self.store = Store(execution.store)
        self.entries: dict[str, Entry] = {}
        self._execution = execution
        self._log = recipe.experiment.spec.LOG
        self._rows: dict[str, dict[str, pa.Table]] = {}

    def tables(self, tasks: list[Task]) -> dict[str, pa.Table]:
        """The rows of tasks, in their order, one table a kind."""
        return logs.concatenate((self._read(task) for task in tasks), self._log)

    def _read(self, task: Task) -> dict[str, pa.Table]:
        """The rows of a cell; a damaged or vanished one is computed again first."""
        if task.address in self._rows:
            return self._rows[task.address]
        for _ in range(3):
            entry = self.store.find([task.address]).get(task.address)
            data = self.store.get(entry) if entry else None
            if entry is not None and data is not None:
                row = pq.read_table(io.BytesIO(data))
                self.entries[task.address] = entry
                self._rows[task.address] = unpack(row, self._log)
                return self._rows[task.address]
            self._compute(task)
        raise OSError(f"{task.label}: its file in {self.store.folder} cannot be kept whole")

    def _compute(self, task: Task) -> None:
        using = executor(self._execution, 1)
        try:
            for outcome in run([task], using):
                if outcome.error:
                    raise OSError(outcome.error)
        finally:
            using.stop()


def control_frames(job: Job, stored: StoredCells) -> dict[PlacedControl, Frames]:
    """The logs of the controls whose own cells are all stored."""
    known = stored.store.find(task.address for of_control in job.controls.values() for task in of_control)
    return {
        placed: {kind: table.to_pandas() for kind, table in stored.tables(of_control).items()}
        for placed, of_control in job.controls.items()
        if all(task.address in known for task in of_control)
    }
