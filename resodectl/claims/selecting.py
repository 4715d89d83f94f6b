"""The rows that a claim looks at, and in words why there are none."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from resodectl.recipe.schema import Near, Range, Selection

if TYPE_CHECKING:
    import pandas as pd

NEAR = 0.02  # relative: what is further away from a wanted value than this is not near it
FEW = 8  # values of a column that are listed


def select(rows: pd.DataFrame, where: Selection) -> pd.DataFrame:
    """The rows whose columns have the given values: this one, one of these, inside a range, or the nearest to a value.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"hurst": [0.2, 0.4916, 0.8], "seed": [0, 0, 0]})
    >>> select(rows, {"hurst": Near(near=0.5)})["hurst"].to_list()
    [0.4916]
    >>> select(rows, {"hurst": Near(near=0.6)})["hurst"].to_list()
    []
    """
    import pandas as pd

    keep = pd.Series(True, index=rows.index)
    # What is nearest is looked for among the rows that the other columns leave.
    for column, wanted in sorted(where.items(), key=lambda item: isinstance(item[1], Near)):
        values = rows[column]
        if isinstance(wanted, Range):
            keep &= values >= (-math.inf if wanted.min is None else wanted.min)
            keep &= values <= (math.inf if wanted.max is None else wanted.max)
        elif isinstance(wanted, Near):
            distance = (values - wanted.near).abs()
            keep &= (distance == distance[keep].min()) & (distance <= NEAR * abs(wanted.near))
        elif isinstance(wanted, tuple):
            keep &= values.isin(wanted)
        else:
            keep &= values == wanted
    return rows[keep]


def why_absent(rows: pd.DataFrame, where: Selection) -> str:
    """Why a selection leaves none of the rows: the value that the log lacks, and those that it has.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"scheme": ["euler", "heun"], "depth": [8, 16]})
    >>> why_absent(rows, {"depth": 8, "scheme": "hein"})
    'no row has scheme "hein"; the log has "euler", "heun"'
    >>> why_absent(rows, {"depth": 8, "scheme": "heun"})
    'no row has depth 8 and scheme "heun" at once'
    """
    if rows.empty:
        return "the log has no row of this kind"
    for column, wanted in where.items():
        if select(rows, {column: wanted}).empty:
            return f"no row has {column} {_wanted(wanted)}; the log has {_values(rows[column])}"
    together = " and ".join(f"{column} {_wanted(wanted)}" for column, wanted in where.items())
    return f"no row has {together} at once"


def _wanted(wanted: Any) -> str:
    """What a selection wants of a column, in words."""
    match wanted:
        case Near():
            return f"near {wanted.near:g}"
        case Range(min=None):
            return f"up to {wanted.max:g}"
        case Range(max=None):
            return f"from {wanted.min:g} on"
        case Range():
            return f"from {wanted.min:g} to {wanted.max:g}"
        case tuple():
            return " or ".join(map(_value, wanted))
        case _:
            return _value(wanted)


def _values(column: pd.Series[Any]) -> str:
    """The values of a column, or the ends of them where they are many."""
    values = sorted(column.dropna().unique().tolist())
    if len(values) <= FEW:
        return ", ".join(map(_value, values)) or "NaN alone"
    return f"{len(values)} values from {_value(values[0])} to {_value(values[-1])}"


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
