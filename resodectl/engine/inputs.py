"""The files that an experiment names in the `INPUTS` of its spec.

A recipe's folder reaches a worker in this way alone: `resodectl.engine.run.tasks` is told the folder, `declared` finds
and hashes the inputs in it, the digests enter the identity of each cell, the paths travel in its task, and the
simulation gets them from `context.input(name)`.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from resodectl.engine.seen import Seen, require_unchanged, seen
from resodectl.errors import UserError
from resodectl.experiment.catalogue import Experiment


@dataclass(frozen=True)
class Input:
    """A declared file: its name in the spec, its SHA-256, and what was seen of it."""

    name: str
    sha256: str
    seen: Seen


@cache
def declared(experiment: str, folder: Path | None, data_root: Path | None) -> tuple[Input, ...]:
    """The inputs of an experiment, each hashed once a process.

    Args:
        folder: the recipe's; an input that is not there is looked for in `data_root`.

    Raises:
        UserError: one is missing, or cannot be read.
    """
    return tuple(
        _input(experiment, name, folder, data_root) for name in getattr(Experiment(experiment).spec, "INPUTS", ())
    )


def _input(experiment: str, name: str, folder: Path | None, data_root: Path | None) -> Input:
    places = [place.absolute() / Path(name).expanduser() for place in (folder, data_root) if place is not None]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        looked = " nor ".join(map(str, places)) or "a recipe's folder"
        root = "" if data_root is not None else "; --data-root may name another folder to look in"
        raise UserError(
            f"{experiment} needs the file '{name}' (INPUTS of its spec), and there is no file {looked}{root}"
        )
    before = seen(path)
    try:
        with open(path, "rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: the input '{name}' of {experiment} cannot be read ({error.strerror})") from error
    require_unchanged([before])
    return Input(name, digest, before)
