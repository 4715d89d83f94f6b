"""How rows are picked, where some are missing."""

import subprocess
import sys

import pandas as pd

from resodectl.drawing.rows import first_seed, in_order, last

ROWS = pd.DataFrame(
    {"seed": [7, 7, 5, 5], "scheme": ["heun", "euler", "heun", "euler"], "step": [0, 3, 0, 1], "loss": [1, 2, 3, 4]}
)


def test_of_no_rows_none_are_picked() -> None:
    none = ROWS.iloc[:0]
    assert first_seed(none).empty
    assert last(none, "step").empty
    assert last(none, "step", each=["scheme"]).empty
    assert in_order(none, "scheme", ["heun"]) == []


def test_the_rows_at_the_end_are_those_of_each_group_where_groups_are_named() -> None:
    assert last(ROWS, "step")["loss"].tolist() == [2]
    assert last(ROWS, "step", each=["seed"])["loss"].tolist() == [2, 4]
    assert last(ROWS, "step", each=["seed", "scheme"])["loss"].tolist() == [1, 2, 3, 4]


def test_picking_rows_needs_no_matplotlib() -> None:
    code = "import sys, resodectl.drawing.rows; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
