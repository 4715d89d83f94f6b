"""Concluding: from the stored cells of a recipe to its log, verdicts, figure and manifest."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resodectl.claims.document import document
from resodectl.claims.measures import judged, measure
from resodectl.claims.verdict import Verdict
from resodectl.engine.run import Execution
from resodectl.engine.store import Store
from resodectl.errors import UserError
from resodectl.files import write_if_changed
from resodectl.recipe.load import Recipe
from resodectl.recipe.papers import citation
from resodectl.runs import logs
from resodectl.runs.exhibit import show_verdicts
from resodectl.runs.figure import draw
from resodectl.runs.folders import OutputFolders
from resodectl.runs.kept import Kept, keep
from resodectl.runs.manifest import cells_of, manifest, timed, to_json
from resodectl.runs.plan import Job


@dataclass(frozen=True)
class Result:
    """What became of one recipe; `seconds` is what the cells that were computed took, together."""

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


def finish(job: Job, execution: Execution, folders: OutputFolders) -> Result:
    """Write the log, the verdicts, the figure and the manifest of a recipe whose cells are stored.

    A measure that fails costs the verdicts alone, and a drawing that fails the figure alone: the error comes back among
    the result's. What was measured of the same cells before is not measured again.
    """
    recipe, folder = job.recipe, folders.folder(job.recipe)
    if job.errors:
        return Result(recipe, folder, [], [], 0.0, len(job.computed), 0, tuple(job.errors))
    verdicts: list[Verdict] = []
    figures: list[Path] = []
    errors: list[str] = []
    known = _recalled(job, Store(execution.store), folder)
    if known is None:
        known = _measured(job, execution, folder, errors)
    if known.measured is not None:
        verdicts = judged(recipe, known.measured)
        write_verdicts(recipe, verdicts, folders)
    try:
        figures = draw(recipe, lambda: logs.frames(folder, recipe.experiment.spec.LOG), known.log, folders)
    except UserError as error:
        errors.append(str(error))
    about = manifest(recipe, execution.device, known.cells, known.log)
    if job.computed or not _same_but_times(folder / "manifest.json", about):
        took = Store(execution.store).seconds(known.cells)
        write_if_changed(folder / "manifest.json", to_json(timed(about, took, job.computed)))
    seconds = sum(job.computed.values())
    reused = len(known.cells) - len(job.computed)
    return Result(recipe, folder, verdicts, figures, seconds, len(job.computed), reused, tuple(errors))


def _recalled(job: Job, store: Store, folder: Path) -> Kept | None:
    """What was measured before, if nothing was computed since, and the cells and the log are whole."""
    if job.kept is None or job.computed:
        return None
    cells = store.find(task.address for task in job.tasks)
    whole = all(task.address in cells and store.is_whole(cells[task.address]) for task in job.tasks)
    return job.kept if whole and logs.is_there(folder, job.recipe.experiment.spec.LOG, job.kept.log) else None


def _measured(job: Job, execution: Execution, folder: Path, errors: list[str]) -> Kept:
    """Put the log together, measure, and keep what was measured; what fails goes to `errors`, and is not kept."""
    from resodectl.runs.stored import StoredCells, control_frames

    recipe = job.recipe
    stored = StoredCells(recipe, execution)
    tables = stored.tables(job.tasks)
    log_digest = logs.write(folder, tables, recipe.experiment.spec.LOG)
    controls = control_frames(job, stored)
    try:
        measured = measure(recipe, {kind: table.to_pandas() for kind, table in tables.items()}, controls)
    except UserError as error:
        errors.append(str(error))
        return Kept(None, log_digest, tuple(stored.entries))
    kept = Kept(measured, log_digest, tuple(stored.entries))
    keep(job, stored.store, stored.entries, kept)
    return kept


def write_verdicts(recipe: Recipe, verdicts: list[Verdict], folders: OutputFolders) -> None:
    """Write the verdicts on the claims of a recipe, in the gallery, too, if they belong there."""
    content = {
        "recipe": recipe.name,
        "title": recipe.title,
        "figure": recipe.figure,
        "paper": citation(recipe.paper),
        "profile": recipe.profile,
        "overrides": list(recipe.overrides),
        "deviations": list(map(str, recipe.deviations)),
        "because": recipe.because,
        "departs": recipe.file.departs,
        "claims": [document(verdict) for verdict in verdicts],
    }
    write_if_changed(folders.folder(recipe) / "claims.json", to_json(content))
    shown, of_paper = folders.gallery(recipe), folders.gallery_of_paper(recipe)
    if shown is not None:
        show_verdicts(shown.with_suffix(".json"), content)
    if of_paper is not None:
        show_verdicts(of_paper, content)


def renew(job: Job, verdicts: list[Verdict], store: Store, folders: OutputFolders) -> None:
    """Renew the verdicts of an earlier run, and name in its manifest the cells of controls that are stored now.

    Raises:
        OSError: a file cannot be written.
    """
    path = folders.folder(job.recipe) / "manifest.json"
    about = json.loads(path.read_bytes())
    known = {cell["address"] for cell in about["cells"]}
    further = [address for address in store.find(task.address for task in job.wanted(True)) if address not in known]
    if further:
        took = store.seconds(further)
        about["cells"] += cells_of(further, took, job.computed)
        about["seconds"] = round(sum(cell["seconds"] or 0.0 for cell in about["cells"]), 3)
        write_if_changed(path, to_json(about))
    write_verdicts(job.recipe, verdicts, folders)


def _same_but_times(path: Path, about: dict[str, Any]) -> bool:
    """Whether a manifest says the same, times and what was reused aside."""
    try:
        known = json.loads(path.read_bytes())
        same_cells = {cell["address"] for cell in known["cells"]} == {cell["address"] for cell in about["cells"]}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    times = ("finished", "cells", "seconds", "commit")
    return same_cells and all(known.get(k) == v for k, v in json.loads(json.dumps(about)).items() if k not in times)
