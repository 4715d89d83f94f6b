"""The log of a run: one Parquet file a kind, the same bytes for the same rows."""

import hashlib
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from resodectl.engine.tables import Log, schema
from resodectl.errors import UserError
from resodectl.files import write_if_changed


def paths(folder: Path, log: Log) -> dict[str, Path]:
    """The file of each kind: `log.parquet` if there is one kind, else `log-<kind>.parquet`."""
    if len(log) == 1:
        return dict.fromkeys(log, folder / "log.parquet")
    return {kind: folder / f"log-{kind}.parquet" for kind in log}


def concatenate(parts: Iterable[Mapping[str, pa.Table]], log: Log) -> dict[str, pa.Table]:
    """The rows of all cells, in the order of the cells."""
    parts = list(parts)
    return {
        kind: pa.concat_tables([schema(columns).empty_table(), *(p[kind] for p in parts)])
        for kind, columns in log.items()
    }


def write(folder: Path, tables: Mapping[str, pa.Table], log: Log) -> str:
    """Write the log where it differs from what is there; returns its digest."""
    files = paths(folder, log)
    for kind, table in tables.items():
        buffer = io.BytesIO()
        pq.write_table(table.combine_chunks(), buffer, compression="zstd")
        write_if_changed(files[kind], buffer.getvalue())
    return digest(folder, log)


def digest(folder: Path, log: Log) -> str:
    """The SHA-256 of the log's files."""
    found = hashlib.sha256()
    for kind, path in paths(folder, log).items():
        found.update(f"{kind}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def read(folder: Path, log: Log, expected: str, command: str) -> dict[str, pa.Table]:
    """The log of an earlier run.

    Args:
        expected: the digest that the run's manifest gives.
        command: what makes the log, for messages.

    Raises:
        UserError: there is no log, or it is not the one that the run wrote.
    """
    absent = [path for path in paths(folder, log).values() if not path.is_file()]
    if absent:
        raise UserError(f"{absent[0]}: there is no log yet; run `{command}` first")
    if digest(folder, log) != expected:
        raise UserError(f"{folder}: the log is damaged, or not of the run of the manifest; run `{command}` again")
    return {kind: pq.read_table(path) for kind, path in paths(folder, log).items()}
