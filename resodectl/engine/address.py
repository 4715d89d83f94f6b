"""The address of a cell: SHA-256 of all that determines its result."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resodectl.engine.fingerprint import fingerprint, third_party
from resodectl.engine.inputs import Input
from resodectl.experiment.catalogue import Experiment

if TYPE_CHECKING:  # so that any Python can tell a fingerprint, without a package installed
    from resodectl.experiment.cells import Cell


def entries(experiment: str) -> tuple[str, ...]:
    """The modules that begin what determines a result."""
    package = Experiment(experiment).package
    return f"{package}.simulation", f"{package}.spec", "resodectl.experiment.context", "resodectl.engine.tables"


@cache
def environment(experiment: str, device: str) -> dict[str, Any]:
    """What determines the result besides the cell itself: device type, package versions, code.

    Raises:
        UserError: the code cannot be read.
    """
    *simulated, tables = entries(experiment)
    return {
        "device": device,
        "versions": third_party(tuple(simulated)),
        "code": fingerprint((*simulated, tables)),
    }


def identity(cell: "Cell", device: str, data_root: Path | None, inputs: tuple[Input, ...] = ()) -> dict[str, Any]:
    """All that determines the result of a cell, as plain values.

    Args:
        inputs: the files that its parameters name; see `resodectl.engine.inputs`.

    Raises:
        DataError: the cell needs a data set that is not there.
        UserError: the code cannot be read.
    """
    from resodectl.experiment.outside import data_sets

    return {
        "experiment": cell.experiment,
        "point": cell.point.model_dump(mode="json"),
        "seeds": list(cell.seeds),
        "data": {name: data_digest(name, data_root) for name in data_sets(cell.point)},
        "inputs": {file.name: file.sha256 for file in inputs},
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
