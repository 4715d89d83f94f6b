"""How the rows of a log are picked: those of the first seed, those at the end, those of each value in a fixed order."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import pandas as pd

ValueT = TypeVar("ValueT")


def first_seed(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the smallest seed.

    >>> first_seed(pd.DataFrame({"seed": [4, 3, 3], "loss": [0.1, 0.2, 0.3]}))["loss"].tolist()
    [0.2, 0.3]
    """
    return rows[rows["seed"] == rows["seed"].min()]


def last(rows: pd.DataFrame, time: str, *, each: Sequence[str] = ()) -> pd.DataFrame:
    """The rows at the largest value of the column `time`: of all rows, or of each group with equal columns `each`.

    >>> runs = pd.DataFrame({"run": ["a", "a", "b"], "epoch": [1, 2, 1], "loss": [0.3, 0.2, 0.1]})
    >>> last(runs, "epoch")["loss"].tolist(), last(runs, "epoch", each=["run"])["loss"].tolist()
    ([0.2], [0.2, 0.1])
    """
    end = rows.groupby(list(each))[time].transform("max") if each else rows[time].max()
    return rows[rows[time] == end]


def in_order(rows: pd.DataFrame, column: str, values: Iterable[ValueT]) -> list[tuple[ValueT, pd.DataFrame]]:
    """The rows of each value of a column, in the order of `values`; values without rows are left out.

    >>> runs = pd.DataFrame({"scheme": ["heun", "euler", "heun"], "loss": [0.3, 0.2, 0.1]})
    >>> [(scheme, own["loss"].tolist()) for scheme, own in in_order(runs, "scheme", ["heun", "midpoint", "euler"])]
    [('heun', [0.3, 0.1]), ('euler', [0.2])]
    """
    groups = ((value, rows[rows[column] == value]) for value in values)
    return [(value, own) for value, own in groups if len(own)]
