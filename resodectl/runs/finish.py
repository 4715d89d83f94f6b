"""Concluding: from the stored cells of a recipe to its log, verdicts, figure and manifest."""

import io
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from resodectl.claims.document import document
from resodectl.claims.measures import PlacedControl, check
from resodectl.claims.verdict import Verdict
from resodectl.engine.executors import InProcess
from resodectl.engine.run import Execution, run
from resodectl.engine.store import Store
from resodectl.engine.tables import unpack
from resodectl.engine.worker import Task
from resodectl.errors import UserError
from resodectl.files import write_if_changed
from resodectl.recipe.load import Recipe
from resodectl.recipe.papers import citation
from resodectl.runs import logs
from resodectl.runs.exhibit import show_verdicts
from resodectl.runs.figure import draw
from resodectl.runs.folders import OutputFolders
from resodectl.runs.manifest import manifest, to_json
from resodectl.runs.plan import Job

Frames = dict[str, Any]


@dataclass(frozen=True)
class Result:
    """What became of one recipe."""

    recipe: Recipe
    folder: Path
    verdicts: list[Verdict]
    figures: list[Path]
    seconds: float
    computed: int
    reused: int
    errors: tuple[str, ...] = ()

    @property
    def acceptable(self) -> bool:
        return all(verdict.acceptable for verdict in self.verdicts)


class StoredCells:
    """The rows of a recipe's stored cells, each cell read once; `cost` is what they took, in seconds, by address."""

    def __init__(self, recipe: Recipe, execution: Execution) -> None:
        self.store = Store(execution.store)
        self.cost: dict[str, float] = {}
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
            if data is not None:
                row = pq.read_table(io.BytesIO(data))
                self.cost[task.address] = json.loads(row.schema.metadata[b"resodectl"])["seconds"]
                self._rows[task.address] = unpack(row, self._log)
                return self._rows[task.address]
            for outcome in run([task], InProcess()):
                if outcome.error:
                    raise OSError(outcome.error)
        raise OSError(f"{task.label}: its file in {self.store.folder} cannot be kept whole")


def finish(job: Job, execution: Execution, folders: OutputFolders) -> Result:
    """Write the log, the verdicts, the figure and the manifest of a recipe whose cells are stored.

    A measure that fails costs the verdicts alone, and a drawing that fails the figure alone: the error comes back among
    the result's.
    """
    started = time.perf_counter()
    recipe, folder = job.recipe, folders.folder(job.recipe)
    if job.errors:
        return Result(recipe, folder, [], [], 0.0, len(job.computed), 0, tuple(job.errors))
    stored = StoredCells(recipe, execution)
    tables = stored.tables(job.tasks)
    log_digest = logs.write(folder, tables, recipe.experiment.spec.LOG)
    frames = {kind: table.to_pandas() for kind, table in tables.items()}
    verdicts: list[Verdict] = []
    figures: list[Path] = []
    errors: list[str] = []
    try:
        verdicts = measure(recipe, frames, control_frames(job, stored), folders)
    except UserError as error:
        errors.append(str(error))
    try:
        figures = draw(recipe, frames, log_digest, folders)
    except UserError as error:
        errors.append(str(error))
    listed = [
        {"address": address, "seconds": round(seconds, 3), "reused": address not in job.computed}
        for address, seconds in stored.cost.items()
    ]
    about = manifest(recipe, execution.device, listed, log_digest)
    if job.computed or not _same_but_times(folder / "manifest.json", about):
        write_if_changed(folder / "manifest.json", to_json(about))
    seconds = sum(job.computed.values()) + time.perf_counter() - started
    reused = len(stored.cost) - len(job.computed)
    return Result(recipe, folder, verdicts, figures, seconds, len(job.computed), reused, tuple(errors))


def control_frames(job: Job, stored: StoredCells) -> dict[PlacedControl, Frames]:
    """The logs of the controls whose own cells are all stored."""
    known = stored.store.find(task.address for of_control in job.controls.values() for task in of_control)
    return {
        placed: {kind: table.to_pandas() for kind, table in stored.tables(of_control).items()}
        for placed, of_control in job.controls.items()
        if all(task.address in known for task in of_control)
    }


def measure(
    recipe: Recipe, frames: Frames, controls: dict[PlacedControl, Frames], folders: OutputFolders
) -> list[Verdict]:
    """Measure the claims of a log and write the verdicts."""
    verdicts = check(recipe, frames, controls)
    content = {
        "recipe": recipe.name,
        "title": recipe.title,
        "figure": recipe.figure,
        "paper": citation(recipe.paper),
        "profile": recipe.profile,
        "overrides": list(recipe.request.overrides),
        "deviations": list(map(str, recipe.deviations)),
        "because": recipe.because,
        "departs": recipe.file.departs,
        "claims": [document(verdict) for verdict in verdicts],
    }
    write_if_changed(folders.folder(recipe) / "claims.json", to_json(content))
    shown = folders.gallery(recipe)
    if shown is not None:
        show_verdicts(shown.with_suffix(".json"), content)
    elif folders.figures is not None and recipe.profile == "paper" and not recipe.request.overrides:
        show_verdicts(folders.figures / f"{recipe.name}.paper.json", content)
    return verdicts


def _same_but_times(path: Path, about: dict[str, Any]) -> bool:
    """Whether a manifest says the same, times and what was reused aside."""
    try:
        known = json.loads(path.read_bytes())
        same_cells = {cell["address"] for cell in known["cells"]} == {cell["address"] for cell in about["cells"]}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    timed = ("finished", "cells", "seconds", "commit")
    return same_cells and all(known.get(k) == v for k, v in json.loads(to_json(about)).items() if k not in timed)
