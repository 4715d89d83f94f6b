"""The table of a sweep: a row for each point and claim, as Parquet and as plain values."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from resodectl.claims.document import document
from resodectl.files import write_if_changed
from resodectl.sweeps.sweep import Found, Sweep

COLUMNS: tuple[tuple[str, Any], ...] = (
    ("claim", pa.int64()),
    ("measure", pa.string()),
    ("says", pa.string()),
    ("estimate", pa.float64()),
    ("low", pa.float64()),
    ("high", pa.float64()),
    ("units", pa.int64()),
    ("method", pa.string()),
    ("band_low", pa.float64()),
    ("band_high", pa.float64()),
    ("verdict", pa.string()),
    ("controls_breaking", pa.int64()),
    ("controls_broken", pa.int64()),
    ("error", pa.string()),
)


def table(sweep: Sweep, found: Sequence[Found]) -> pa.Table:
    """One row for each point and claim, in their order: the values of the swept parameters as `at.<key>`, the number of
    the claim from 1 on, its measure and sentence, the estimate with its 95 % interval and units (null where there is
    none), the ends of the band (null for an open one), the verdict, how many of its controls that were run break it and
    how many do not, and what failed, if anything.
    """
    keys = {
        f"at.{axis.key}": _column([one.values[place] for one in found], axis.values)
        for place, axis in enumerate(sweep.axes)
    }
    rows = [_row(sweep, one) for one in found]
    return pa.table({**keys, **{name: pa.array([row[name] for row in rows], kind) for name, kind in COLUMNS}})


def write(path: Path, sweep: Sweep, found: Sequence[Found]) -> bytes:
    """Write the table as Parquet, where it differs from what is there; returns its bytes."""
    buffer = io.BytesIO()
    pq.write_table(table(sweep, found), buffer, compression="zstd")
    write_if_changed(path, buffer.getvalue())
    return buffer.getvalue()


def documents(sweep: Sweep, found: Sequence[Found]) -> list[dict[str, Any]]:
    """The rows as plain values for JSON: the values of the parameters, the number of the claim, and its verdict."""
    return [
        {
            "at": {axis.key: value for axis, value in zip(sweep.axes, one.values, strict=True)},
            "number": one.claim + 1,
            **({"error": one.error} if one.verdict is None else document(one.verdict)),
        }
        for one in found
    ]


def _row(sweep: Sweep, one: Found) -> dict[str, Any]:
    claim = sweep.recipe.claims[one.claim]
    band = claim.band(sweep.recipe.profile)
    estimate = one.verdict.estimate if one.verdict else None
    states = [control.state for control in one.verdict.controls] if one.verdict else []
    return {
        "claim": one.claim + 1,
        "measure": claim.claim,
        "says": claim.says,
        "estimate": estimate and estimate.value,
        "low": estimate and estimate.low,
        "high": estimate and estimate.high,
        "units": estimate and estimate.units,
        "method": estimate and estimate.method,
        "band_low": band.low,
        "band_high": band.high,
        "verdict": one.judgement,
        "controls_breaking": states.count("breaks"),
        "controls_broken": states.count("broken"),
        "error": one.error or None,
    }


def _column(values: Sequence[Any], every: Sequence[Any]) -> pa.Array:
    """Values of a parameter in a type that suits all values of its axis; groups, lists and mixtures are text."""
    kinds = {type(value) for value in every}
    if kinds == {bool} or kinds == {int}:
        return pa.array(values)
    if kinds <= {int, float}:
        return pa.array(values, pa.float64())
    return pa.array([value if isinstance(value, str) else json.dumps(value) for value in values], pa.string())
