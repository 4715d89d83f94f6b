"""`resodectl store ls|verify|gc`."""

from pathlib import Path
from typing import Any

import click

from resodectl.cli import options


@click.group("store")
def store_command() -> None:
    """List, verify and clean the store of finished cells."""


def _existing(folder: Path) -> Any:
    from resodectl.engine.store import Store
    from resodectl.errors import UserError

    if not folder.is_dir():
        raise UserError(f"{folder}: there is no store here; name it with --store")
    return Store(folder)


@store_command.command("ls")
@options.storing
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a table.")
def ls_command(store_folder: Path, as_json: bool) -> int:
    """List the stored cells: address, experiment, point, seeds, seconds, size."""
    import json

    from resodectl.cli.tables import document_on_stdout, table
    from resodectl.engine.store import metadata

    store, stored = _existing(store_folder), []
    entries = list(store)
    seconds = store.seconds(entry.address for entry in entries)
    for entry in entries:
        about = metadata(entry.path)
        known = about.get("identity", {})
        stored.append(
            {
                "address": entry.address,
                "experiment": known.get("experiment", "?"),
                "point": known.get("point", {}),
                "seeds": known.get("seeds", []),
                "seconds": seconds.get(entry.address),
                "bytes": entry.path.stat().st_size,
            }
        )
    if as_json:
        document_on_stdout(stored)
        return 0
    rows = [
        (
            cell["address"][:12],
            cell["experiment"],
            json.dumps(cell["point"]) if cell["point"] else "?",
            "{}..{}".format(cell["seeds"][0], cell["seeds"][-1]) if cell["seeds"] else "?",
            "?" if cell["seconds"] is None else f"{cell['seconds']:.2f}",
            str(cell["bytes"]),
        )
        for cell in stored
    ]
    table(("address", "experiment", "point", "seeds", "seconds", "bytes"), rows, fold=("point",))
    print(f"{len(stored)} cells, {sum(cell['bytes'] for cell in stored) / 1e6:.1f} MB")
    return 0


@store_command.command("verify")
@options.storing
def verify_command(store_folder: Path) -> int:
    """Read every stored cell; damaged ones are set aside, to be computed again. Exits with 1 if there was any."""
    store = _existing(store_folder)
    entries = list(store)
    damaged = sum(store.get(entry) is None for entry in entries)
    print(f"{len(entries)} cells read, {damaged} damaged")
    return 1 if damaged else 0


@store_command.command("gc")
@options.storing
@click.option("--out", type=options.FOLDER, default=Path("runs"), show_default=True, help="The folder of results.")
@click.option("--dry-run", is_flag=True, help="Only say how many cells would go.")
def gc_command(store_folder: Path, out: Path, dry_run: bool) -> int:
    """Delete cells that no result under --out and no shipped recipe needs. What is younger than a day is spared."""
    store = _existing(store_folder)
    keep = _needed_by_results(out) | _needed_by_shipped(store_folder)
    gone = store.gc(keep, dry_run=dry_run)
    print(f"{len(gone)} cells {'would go' if dry_run else 'deleted'}")
    return 0


def _needed_by_results(out: Path) -> set[str]:
    """The addresses of the cells of every result under `out`.

    Raises:
        UserError: there is no such folder, or one of its manifests cannot be read.
    """
    import json

    from resodectl.errors import UserError

    if not out.is_dir():
        raise UserError(f"{out}: there are no results here; name their folder with --out, so that their cells are kept")
    needed: set[str] = set()
    for path in out.glob("*/*/*/manifest.json"):
        try:
            needed.update(cell["address"] for cell in json.loads(path.read_bytes())["cells"])
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise UserError(
                f"{path}: cannot be read as a manifest, so nothing is deleted; remove it or run its recipe again"
            ) from error
    return needed


def _needed_by_shipped(store_folder: Path) -> set[str]:
    """The addresses of the cells of every shipped recipe and control, as far as their data sets are there."""
    from resodectl.engine.run import Execution, resolve_device
    from resodectl.errors import UserError
    from resodectl.experiment.catalogue import shipped
    from resodectl.recipe.load import Request, load
    from resodectl.recipe.schema import PROFILES
    from resodectl.runs.plan import plan

    execution = Execution(store_folder, resolve_device("auto"))
    needed: set[str] = set()
    for path in shipped().values():
        for profile in PROFILES:
            try:
                (job,) = plan([load(path, Request(profile))], execution)
            except UserError:  # no such profile, or its data set is not here
                continue
            needed.update(task.address for task in job.wanted(controls=True))
    return needed
