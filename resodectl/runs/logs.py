"""The log of a run: one Parquet file a kind, the same bytes for the same rows."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from resodectl.engine.run import Execution
from resodectl.errors import UserError
from resodectl.experiment.columns import Log
from resodectl.files import write_if_changed
from resodectl.recipe.load import Recipe
from resodectl.runs.folders import OutputFolders
from resodectl.runs.plan import own_tasks

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def paths(folder: Path, log: Log) -> dict[str, Path]:
    """The file of each kind: `log.parquet` if there is one kind, else `log-<kind>.parquet`."""
    if len(log) == 1:
        return dict.fromkeys(log, folder / "log.parquet")
    return {kind: folder / f"log-{kind}.parquet" for kind in log}


def concatenate(parts: Iterable[Mapping[str, pa.Table]], log: Log) -> dict[str, pa.Table]:
    """The rows of all cells, in the order of the cells."""
    import pyarrow as pa

    from resodectl.engine.tables import schema

    parts = list(parts)
    return {
        kind: pa.concat_tables([schema(columns).empty_table(), *(p[kind] for p in parts)])
        for kind, columns in log.items()
    }


def write(folder: Path, tables: Mapping[str, pa.Table], log: Log) -> str:
    """Write the log where it differs from what is there; returns its digest."""
    import pyarrow.parquet as pq

    files = paths(folder, log)
    for kind, table in tables.items():
        buffer = io.BytesIO()
        pq.write_table(table.combine_chunks(), buffer, compression="zstd")
        write_if_changed(files[kind], buffer.getvalue())
    return digest(folder, log)


def digest(folder: Path, log: Log) -> str:
    """The SHA-256 of the log's files."""
    hashed = hashlib.sha256()
    for kind, path in paths(folder, log).items():
        hashed.update(f"{kind}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return hashed.hexdigest()


def is_there(folder: Path, log: Log, expected: str) -> bool:
    """Whether a log with this digest is there, whole."""
    try:
        return digest(folder, log) == expected
    except OSError:
        return False


def frames(folder: Path, log: Log) -> dict[str, pd.DataFrame]:
    """The rows of the log by kind."""
    import pyarrow.parquet as pq

    return {kind: pq.read_table(path).to_pandas() for kind, path in paths(folder, log).items()}


def require(folder: Path, log: Log, expected: str, command: str) -> None:
    """Make sure that the log of an earlier run is there.

    Args:
        expected: the digest that the run's manifest gives.
        command: what makes the log, for messages.

    Raises:
        UserError: there is no log, or it is not the one that the run wrote.
    """
    absent = [path for path in paths(folder, log).values() if not path.is_file()]
    if absent:
        raise UserError(f"{absent[0]}: there is no log yet; run `{command}` first")
    if not is_there(folder, log, expected):
        raise UserError(f"{folder}: the log is damaged, or not of the run of the manifest; run `{command}` again")


def recorded(
    recipe: Recipe, folders: OutputFolders, command: str, execution: Execution
) -> tuple[dict[str, pd.DataFrame], str]:
    """The frames of the log that a recipe's last run wrote, and its digest; warns if today's code gives other cells.

    Args:
        command: what makes the log, for messages.
        execution: where the cells were stored; the device is that of the run.

    Raises:
        UserError: there is no log, it is not the one that the run wrote, or the run was of other params.
    """
    folder = folders.folder(recipe)
    try:
        about = json.loads((folder / "manifest.json").read_bytes())
        made_of = {cell["address"] for cell in about["cells"]}
        params, device, log_digest = about["params"], about["device"], about["log"]
    except FileNotFoundError as error:
        raise UserError(f"{folder}: there is no log yet; run `{command}` first") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder}/manifest.json: is no manifest of a run; run `{command}` again") from error
    if params != json.loads(recipe.params.model_dump_json()):
        raise UserError(f"{folder}: the log was made with other params than the recipe's; run `{command}` again")
    log = recipe.experiment.spec.LOG
    require(folder, log, log_digest, command)
    try:
        today = {task.address for task in own_tasks(recipe, replace(execution, device=device))}
    except UserError:
        today = set()  # without the data set nothing can be said about it
    if not today <= made_of:
        print(f"warning: {folder} was made with other code or versions than today's; run `{command}`", file=sys.stderr)
    return frames(folder, log), log_digest
