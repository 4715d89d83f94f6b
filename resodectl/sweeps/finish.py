"""Concluding a sweep: its table, its manifest, and a figure for each claim."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from resodectl.drawing.provenance import Provenance, is_current
from resodectl.engine.fingerprint import fingerprint
from resodectl.engine.run import Execution
from resodectl.engine.store import Store
from resodectl.files import write_if_changed
from resodectl.runs.figure import footer_of
from resodectl.runs.folders import OutputFolders
from resodectl.runs.manifest import manifest, timed, to_json, version
from resodectl.runs.plan import Job
from resodectl.sweeps.sweep import Found, Sweep
from resodectl.sweeps.table import write


def finish(
    sweep: Sweep, found: Sequence[Found], jobs: Sequence[Job], execution: Execution, folders: OutputFolders
) -> dict[int, list[Path]]:
    """Write the table and the manifest of a sweep, and the figures that are not current.

    Returns:
        The files of the figures by the claim, in the order of the claims.
    """
    folder = sweep.folder(folders)
    table = hashlib.sha256(write(folder / "sweep.parquet", sweep, found)).hexdigest()
    _write_manifest(sweep, jobs, execution, folder, table)
    code = fingerprint(("resodectl.sweeps.drawing",), ("resodectl.sweeps.", "resodectl.drawing.", "resodectl.claims."))
    provenance, footer = Provenance(version(), sweep.recipe.hash, table, code), footer_of(sweep.recipe)
    figures = {}
    for claim in sweep.claims:
        stem = folder / f"{claim + 1:02d}-{sweep.recipe.claims[claim].claim}"
        figures[claim] = [stem.with_suffix(f".{suffix}") for suffix in folders.formats]
        if all(is_current(path, provenance, footer) for path in figures[claim]):
            continue
        from resodectl.drawing.save import save
        from resodectl.drawing.style import style
        from resodectl.sweeps.drawing import draw

        with style():
            figure = draw(sweep, claim, [one for one in found if one.claim == claim])
        save(figure, stem, folders.formats, provenance, footer)
    return figures


def _write_manifest(sweep: Sweep, jobs: Sequence[Job], execution: Execution, folder: Path, table: str) -> None:
    """Say what the sweep was made from; `store gc` keeps the cells that it names."""
    store = Store(execution.store)
    cells = list(store.find(task.address for job in jobs for task in job.wanted(controls=True)))
    computed = {address for job in jobs for address in job.computed}
    about = {
        **timed(manifest(sweep.recipe, execution.device, cells, table), store.seconds(cells), computed),
        "over": {axis.key: list(axis.values) for axis in sweep.axes},
        "claims": [claim + 1 for claim in sweep.claims],
    }
    if computed or not (folder / "manifest.json").is_file():
        write_if_changed(folder / "manifest.json", to_json(about))
