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

CELLS = b"resodectl.cells"


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


def write(folder: Path, tables: Mapping[str, pa.Table], log: Log, cells: str) -> str:
    """Write the log where it differs from what is there; returns its digest.

    Args:
        cells: the digest of the addresses of the cells that the rows come from.
    """
    files = paths(folder, log)
    for kind, table in tables.items():
        buffer = io.BytesIO()
        kept = {**(table.schema.metadata or {}), CELLS: cells.encode()}
        pq.write_table(table.combine_chunks().replace_schema_metadata(kept), buffer, compression="zstd")
        write_if_changed(files[kind], buffer.getvalue())
    return digest(folder, log)


def digest(folder: Path, log: Log) -> str:
    """The SHA-256 of the log's files."""
    found = hashlib.sha256()
    for kind, path in paths(folder, log).items():
        found.update(f"{kind}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def read(folder: Path, log: Log, command: str) -> tuple[dict[str, pa.Table], str]:
    """The log of an earlier run, and the digest of the cells that it was made of.

    Raises:
        UserError: there is no log, or it cannot be read; `command` makes it.
    """
    tables, cells = {}, ""
    for kind, path in paths(folder, log).items():
        try:
            table = pq.read_table(path)
        except FileNotFoundError as error:
            raise UserError(f"{path}: there is no log yet; run `{command}` first") from error
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{path}: is no readable log; run `{command}` to write it again") from error
        cells = (table.schema.metadata or {}).get(CELLS, b"").decode()
        missing = [name for name in schema(log[kind]).names if name not in table.column_names]
        if missing:
            raise UserError(f"{path}: lacks the column '{missing[0]}'; run `{command}` to write it again")
        tables[kind] = table
    return tables, cells
