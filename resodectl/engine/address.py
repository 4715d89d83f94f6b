"""The address of a cell: SHA-256 of all that determines its result."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from resodectl.engine.fingerprint import fingerprint, third_party
from resodectl.experiment.catalogue import Experiment
from resodectl.experiment.cells import Cell
from resodectl.experiment.data_sets import data_sets


@cache
def environment(experiment: str, device: str) -> dict[str, Any]:
    """What determines the result besides the cell itself: device type, package versions, code."""
    package = Experiment(experiment).package
    entries = (f"{package}.simulation", f"{package}.spec", "resodectl.experiment.context")
    return {
        "device": device,
        "versions": third_party(entries),
        "code": fingerprint((*entries, "resodectl.engine.tables")),
    }


def identity(cell: Cell, device: str, data_root: Path | None) -> dict[str, Any]:
    """All that determines the result of a cell, as plain values.

    Raises:
        DataError: the cell needs a data set that is not there.
    """
    return {
        "experiment": cell.experiment,
        "point": cell.point.model_dump(mode="json"),
        "seeds": list(cell.seeds),
        "data": {name: data_digest(name, data_root) for name in data_sets(cell.point)},
        **environment(cell.experiment, device),
    }


def address(identity: dict[str, Any]) -> str:
    """The SHA-256 of an identity."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


@cache
def data_digest(name: str, root: Path | None) -> str:
    """The digest of a data set's files, taken once a process."""
    from resodectl.datasets.load import digest

    return digest(name, root)
