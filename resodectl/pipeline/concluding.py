"""Concluding: from the stored cells of a recipe to its log, verdicts, figure and manifest."""

import io
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from resodectl.claims.verdict import Verdict, check, document
from resodectl.engine.executors import InProcess
from resodectl.engine.run import Setting, run
from resodectl.engine.store import Store
from resodectl.engine.tables import unpack
from resodectl.engine.worker import Task
from resodectl.errors import UserError
from resodectl.files import write_if_changed
from resodectl.output import logs
from resodectl.output.manifest import manifest, to_json
from resodectl.output.places import Places
from resodectl.pipeline.drawing import draw
from resodectl.pipeline.planning import Job
from resodectl.recipe.load import Recipe

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


def finish(job: Job, setting: Setting, places: Places) -> Result:
    """Write the log, the verdicts, the figure and the manifest of a recipe whose cells are stored.

    A measure or a drawing that fails is the recipe's own affair: it comes back among the result's errors.
    """
    started = time.perf_counter()
    recipe, folder, log = job.recipe, places.folder(job.recipe), job.recipe.experiment.spec.LOG
    if job.errors:
        return Result(recipe, folder, [], [], 0.0, len(job.computed), 0, tuple(job.errors))
    cost: dict[str, float] = {}
    tables = _tables(job.tasks, setting, log, cost)
    log_digest = logs.write(folder, tables, log)
    frames = {kind: table.to_pandas() for kind, table in tables.items()}
    try:
        verdicts = measure(recipe, frames, control_frames(job, setting, cost), places)
        figures = draw(recipe, frames, log_digest, places)
    except UserError as error:
        return Result(recipe, folder, [], [], 0.0, len(job.computed), 0, (str(error),))
    listed = [
        {"address": address, "seconds": round(seconds, 3), "reused": address not in job.computed}
        for address, seconds in cost.items()
    ]
    about = manifest(recipe, setting.device, listed, log_digest)
    if job.computed or not _same_but_times(folder / "manifest.json", about):
        write_if_changed(folder / "manifest.json", to_json(about))
    seconds = sum(job.computed.values()) + time.perf_counter() - started
    return Result(recipe, folder, verdicts, figures, seconds, len(job.computed), len(cost) - len(job.computed))


def control_frames(job: Job, setting: Setting, cost: dict[str, float]) -> dict[int, Frames]:
    """The logs of the controls whose own cells are all stored, by the claim's index; fills in what they cost."""
    log, store = job.recipe.experiment.spec.LOG, Store(setting.store)
    stored = store.find(task.address for of_control in job.controls.values() for task in of_control)
    return {
        index: {kind: table.to_pandas() for kind, table in _tables(of_control, setting, log, cost).items()}
        for index, of_control in job.controls.items()
        if all(task.address in stored for task in of_control)
    }


def measure(
    recipe: Recipe, frames: dict[str, Any], controls: dict[int, dict[str, Any]], places: Places
) -> list[Verdict]:
    """Measure the claims of a log and write the verdicts."""
    verdicts = check(recipe, frames, controls)
    content = to_json(
        {
            "recipe": recipe.name,
            "title": recipe.title,
            "profile": recipe.profile,
            "overrides": list(recipe.request.overrides),
            "deviations": list(map(str, recipe.deviations)),
            "claims": [document(verdict) for verdict in verdicts],
        }
    )
    write_if_changed(places.folder(recipe) / "claims.json", content)
    shown = places.gallery(recipe)
    if shown is not None:
        write_if_changed(shown.with_suffix(".json"), content)
    elif places.figures is not None and recipe.profile == "paper" and not recipe.request.overrides:
        write_if_changed(places.figures / f"{recipe.name}.paper.json", content)
    return verdicts


def _tables(tasks: list[Task], setting: Setting, log: Any, cost: dict[str, float]) -> dict[str, pa.Table]:
    store = Store(setting.store)
    return logs.concatenate((_read(task, store, log, cost) for task in tasks), log)


def _read(task: Task, store: Store, log: Any, cost: dict[str, float]) -> dict[str, pa.Table]:
    """The tables of a stored cell; a damaged or vanished one is computed again first."""
    for _ in range(3):
        entry = store.find([task.address]).get(task.address)
        data = store.get(entry) if entry else None
        if data is not None:
            row = pq.read_table(io.BytesIO(data))
            cost[task.address] = json.loads(row.schema.metadata[b"resodectl"])["seconds"]
            return unpack(row, log)
        for outcome in run([task], InProcess()):
            if outcome.error:
                raise OSError(outcome.error)
    raise OSError(f"{task.label}: its file in {store.folder} cannot be kept whole")


def _same_but_times(path: Path, about: dict[str, Any]) -> bool:
    """Whether a manifest says the same, times and what was reused aside."""
    try:
        known = json.loads(path.read_bytes())
        same_cells = {cell["address"] for cell in known["cells"]} == {cell["address"] for cell in about["cells"]}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    timed = ("finished", "cells", "seconds", "commit")
    return same_cells and all(known.get(k) == v for k, v in json.loads(to_json(about)).items() if k not in timed)
