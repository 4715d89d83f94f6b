"""The columns of a log, and a log's kinds: what an experiment's spec declares."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["bool", "int64", "float32", "float64", "string"]


@dataclass(frozen=True)
class Column:
    """One declared column of a log: its name, type, unit ("" for a pure number) and meaning.

    Units and meanings are prose: a change of them does not change a result.
    """

    name: str
    dtype: ColumnType
    unit: str
    meaning: str


Log = Mapping[str, tuple[Column, ...]]
"""The columns of each kind of rows."""
