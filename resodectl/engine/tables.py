"""From the blocks that a simulation yields to one Arrow table a kind, checked against the declared columns.

A cell's kinds travel in one Parquet file of one row: each kind is a list of structs, one struct a row of the log.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from resodectl.experiment.cells import Cell
from resodectl.experiment.columns import Column, Log
from resodectl.experiment.settings import Settings

Block = tuple[str, dict[str, Any]]

_ARROW = {
    "bool": pa.bool_(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "string": pa.string(),
}


class SimulationError(Exception):
    """A simulation that yields something other than what its spec declares."""


def schema(columns: tuple[Column, ...]) -> pa.Schema:
    """The Arrow schema of one kind; units and meanings are kept as field metadata."""
    return pa.schema(
        pa.field(column.name, _ARROW[column.dtype], False, {"unit": column.unit, "meaning": column.meaning})
        for column in columns
    )


def tables(blocks: Iterable[Block], log: Log, cell: Cell[Settings]) -> dict[str, pa.Table]:
    """The rows of a cell, one table a kind, in the order in which they were yielded (blocks as `snapshot` left them).

    Raises:
        SimulationError: a kind or column is unknown, missing, of the wrong type, or lengths differ.
    """
    batches: dict[str, list[pa.RecordBatch]] = {kind: [] for kind in log}
    point = cell.point.model_dump()
    for kind, values in blocks:
        if kind not in log:
            raise SimulationError(f"{cell.experiment} yields the kind '{kind}', which its spec does not declare")
        batches[kind].append(_batch(kind, values, log[kind], point))
    return {kind: pa.Table.from_batches(batches[kind], schema(columns)) for kind, columns in log.items()}


def _batch(kind: str, values: dict[str, Any], columns: tuple[Column, ...], point: dict[str, Any]) -> pa.RecordBatch:
    unknown = values.keys() - {column.name for column in columns}
    if unknown:
        raise SimulationError(f"the kind '{kind}' has no column '{sorted(unknown)[0]}'")
    arrays: dict[str, np.ndarray] = {}
    for column in columns:
        if column.name not in values and column.name not in point:
            raise SimulationError(f"the kind '{kind}' lacks its column '{column.name}'")
        arrays[column.name] = _array(values.get(column.name, point.get(column.name)), column)
    lengths = {array.shape[0] for array in arrays.values() if array.ndim}
    if len(lengths) > 1:
        raise SimulationError(f"the columns of the kind '{kind}' have lengths {sorted(lengths)}")
    rows = lengths.pop() if lengths else 1
    filled = [pa.array(np.broadcast_to(arrays[c.name], rows), _ARROW[c.dtype]) for c in columns]
    return pa.RecordBatch.from_arrays(filled, schema=schema(columns))


def snapshot(block: Block) -> Block:
    """A block with its values copied, so that what the simulation does next cannot change them."""
    kind, values = block
    return kind, {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> np.ndarray:
    """Scalars, lists, arrays and tensors (without importing torch) as arrays of their own."""
    return np.array(value.detach().cpu().numpy() if hasattr(value, "detach") else value)


def _array(value: Any, column: Column) -> np.ndarray:
    """A scalar or one-dimensional array of the declared type."""
    array = np.asarray(value)
    expected = {"string": "UO", "bool": "b", "int64": "iu", "float32": "f", "float64": "fiu"}[column.dtype]
    if array.ndim > 1 or array.dtype.kind not in expected:
        raise SimulationError(
            f"the column '{column.name}' is declared {column.dtype}, got {array.dtype} of shape {array.shape}"
        )
    return array if column.dtype == "string" else array.astype(column.dtype)


def pack(kinds: Mapping[str, pa.Table]) -> pa.Table:
    """All kinds of a cell as one row."""
    columns = []
    for table in kinds.values():
        rows = pa.concat_arrays([*table.to_struct_array().chunks, pa.array([], pa.struct(table.schema))])
        columns.append(pa.ListArray.from_arrays(pa.array([0, len(rows)], pa.int32()), rows))
    return pa.table(dict(zip(kinds, columns, strict=True)))


def unpack(row: pa.Table, log: Log) -> dict[str, pa.Table]:
    """The tables that `pack` put into one row."""
    unpacked = {}
    for kind, columns in log.items():
        rows = row.column(kind).combine_chunks().flatten()
        unpacked[kind] = pa.Table.from_arrays(rows.flatten(), schema=schema(columns))
    return unpacked
