"""Logs have the declared columns, and travel through one Parquet row a cell unchanged."""

import io
import math

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from resodectl.engine.tables import SimulationError, pack, snapshot, tables, unpack
from resodectl.experiment.cells import Cell
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings


class Point(Settings):
    depth: int
    scheme: str


LOG = {
    "errors": (
        Column("depth", "int64", "layers", "depth"),
        Column("scheme", "string", "", "scheme"),
        Column("error", "float64", "", "error"),
        Column("diverged", "bool", "", "flag"),
    ),
    "paths": (Column("x", "float32", "m", "place"),),
}
CELL = Cell("toy/walk", Point(depth=8, scheme="heun"), (0, 1))


def rows(*blocks):
    return tables([snapshot(block) for block in blocks], LOG, CELL)


def test_points_fill_columns_scalars_broadcast_and_tensors_are_welcome() -> None:
    found = rows(("errors", {"error": torch.tensor([1.0, 2.0], dtype=torch.float64), "diverged": False}))["errors"]
    assert found.to_pydict() == {"depth": [8, 8], "scheme": ["heun"] * 2, "error": [1.0, 2.0], "diverged": [False] * 2}
    assert found.schema.field("depth").metadata == {b"unit": b"layers", b"meaning": b"depth"}


def test_a_cell_travels_through_parquet_bit_for_bit() -> None:
    odd = [math.nan, math.inf, -0.0, 5e-324]
    found = rows(
        ("errors", {"error": odd, "diverged": [True, False, True, False]}),
        ("paths", {"x": np.float32([0.1, 0.2])}),
        ("errors", {"error": 1, "diverged": True}),
    )
    buffer = io.BytesIO()
    pq.write_table(pack(found), buffer)
    back = unpack(pq.read_table(buffer), LOG)
    for kind in LOG:
        assert back[kind].schema.equals(found[kind].schema, check_metadata=True)
    np.testing.assert_array_equal(
        back["errors"]["error"].to_numpy().view(np.int64), np.array([*odd, 1.0]).view(np.int64)
    )
    assert back["paths"].to_pydict() == found["paths"].to_pydict()


def test_a_kind_without_rows_is_an_empty_table() -> None:
    back = unpack(pack(rows(("paths", {"x": [1.0]}))), LOG)
    assert back["errors"].num_rows == 0
    assert back["errors"].column_names == ["depth", "scheme", "error", "diverged"]


def test_what_is_yielded_is_copied() -> None:
    values = torch.zeros(2)
    kept = snapshot(("paths", {"x": values}))
    values += 1
    assert kept[1]["x"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("block", "says"),
    [
        (("walks", {}), "the kind 'walks'"),
        (("paths", {"x": [1.0], "y": [1.0]}), "no column 'y'"),
        (("errors", {"error": [1.0]}), "lacks its column 'diverged'"),
        (("errors", {"error": [1.0, 2.0], "diverged": [True] * 3}), r"lengths \[2, 3\]"),
        (("errors", {"error": ["a"], "diverged": True}), "declared float64"),
        (("errors", {"error": [[1.0]], "diverged": True}), r"shape \(1, 1\)"),
        (("errors", {"error": 1.0, "diverged": 1}), "declared bool"),
    ],
)
def test_what_the_spec_does_not_declare_is_an_error(block, says: str) -> None:
    with pytest.raises(SimulationError, match=says):
        rows(block)
