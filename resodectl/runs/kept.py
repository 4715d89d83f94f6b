"""What was measured of a recipe, kept in the store under the hash of all that determines it.

`<store>/measured/<address>.<sha256>.json`, where the address covers the bytes of the cells of the recipe and of its
controls, what the claims look at, the columns of the log, the code of the measures and the versions of the libraries.
Sentences and bands are not among it: estimates are judged anew. A file whose bytes do not match its name is measured
again; `resodectl store gc` deletes what is older than a day.
"""

import hashlib
import json
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from resodectl.claims.estimate import Estimate
from resodectl.claims.measures import Measured
from resodectl.engine.fingerprint import NotPython, fingerprint, third_party
from resodectl.engine.store import MEASURED, Entry, Store
from resodectl.files import write_if_changed

if TYPE_CHECKING:
    from resodectl.runs.plan import Job


@dataclass(frozen=True)
class Kept:
    """The estimates of a recipe's claims, the digest of the log, and the addresses of the cells that were read.

    There are no estimates where a measure has failed; that is not kept.
    """

    measured: list[Measured] | None
    log: str
    cells: tuple[str, ...]


def find(job: "Job", store: Store) -> Kept | None:
    """What was measured, by today's code, of the stored cells of a job; None if nothing was.

    The cells of a control count if all of them are stored.
    """
    cells = store.find(task.address for task in job.wanted(controls=True))
    if not all(task.address in cells for task in job.tasks):
        return None
    try:
        address = _address(job, cells)
    except NotPython:  # the analysis, or what it imports: whoever imports it can say more
        return None
    for path in (store.folder / MEASURED).glob(f"{address}.*.json"):
        with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() == path.name.split(".")[1]:
                return _kept(json.loads(data))
    return None


def keep(job: "Job", store: Store, cells: Mapping[str, Entry], kept: Kept) -> None:
    """Keep what was measured of the cells of a job. A store that takes no files is no error: all can be measured again.

    Args:
        cells: the cells that were read, by address.
    """
    content = {
        "log": kept.log,
        "cells": kept.cells,
        "measured": [
            {
                "estimate": _plain(of_claim.estimate),
                "controls": [[*place, _plain(under)] for place, under in of_claim.controls.items()],
                "absent": [[*place, why] for place, why in of_claim.absent.items()],
            }
            for of_claim in kept.measured or ()
        ],
    }
    data = json.dumps(content).encode()
    name = f"{_address(job, cells)}.{hashlib.sha256(data).hexdigest()}.json"
    with suppress(OSError):
        write_if_changed(store.folder / MEASURED / name, data)


def _address(job: "Job", cells: Mapping[str, Entry]) -> str:
    claims = [
        {
            **claim.model_dump(mode="json", include={"claim", "kind", "where", "options"}),
            "controls": [
                [*place, bool(control.set), control.model_dump(mode="json", include={"where"})]
                for place, control in claim.every_control().items()
            ],
        }
        for claim in job.recipe.claims
    ]
    experiment = job.recipe.experiment
    identity = {
        "claims": claims,
        "draw": job.recipe.file.draw,
        "log": {kind: [asdict(column) for column in columns] for kind, columns in experiment.spec.LOG.items()},
        "cells": [cells[task.address].path.name for task in job.tasks],
        "controls": [
            [index, *place, [cells[task.address].path.name for task in of_control]]
            for (index, place), of_control in job.controls.items()
            if all(task.address in cells for task in of_control)
        ],
        **_environment(experiment.package),
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


@cache
def _environment(package: str) -> dict[str, Any]:
    """The code that measures, and that puts the log together; versions of Python and of the libraries."""
    entries = (f"{package}.analysis", "resodectl.claims.measures", "resodectl.runs.stored")
    return {"code": fingerprint(entries), "versions": third_party(entries), "python": platform.python_version()}


def _plain(estimate: Estimate | None) -> dict[str, Any] | None:
    return None if estimate is None else asdict(estimate)


def _kept(content: dict[str, Any]) -> Kept:
    def estimate(plain: dict[str, Any] | None) -> Estimate | None:
        return None if plain is None else Estimate(**plain)

    measured = [
        Measured(
            estimate(of_claim["estimate"]),
            {tuple(place): estimate(plain) for *place, plain in of_claim["controls"]},
            {tuple(place): why for *place, why in of_claim["absent"]},
        )
        for of_claim in content["measured"]
    ]
    return Kept(measured, content["log"], tuple(content["cells"]))
