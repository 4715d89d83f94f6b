"""The files that the parameters of a cell name.

A recipe's folder reaches a worker in this way alone: `resodectl.engine.run.tasks` is told the folder, `inputs` finds
and hashes the files in it, the digests enter the identity of the cell, the paths travel in its task, and the simulation
gets them from `context.input(name)`.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from resodectl.engine.seen import Seen, require_unchanged, seen
from resodectl.errors import UserError
from resodectl.experiment.cells import Cell
from resodectl.experiment.outside import input_files


@dataclass(frozen=True)
class Input:
    """A file: the name that the parameters give it, its SHA-256, and what was seen of it."""

    name: str
    sha256: str
    seen: Seen


def inputs(cell: Cell, folder: Path | None, data_root: Path | None) -> tuple[Input, ...]:
    """The files that the parameters of a cell name, each hashed once a process.

    Args:
        folder: the recipe's; an input that is not there is looked for in `data_root`.

    Raises:
        UserError: one is missing, or cannot be read.
    """
    return tuple(_input(cell.experiment, name, folder, data_root) for name in input_files(cell.point))


@cache
def _input(experiment: str, name: str, folder: Path | None, data_root: Path | None) -> Input:
    places = [place.absolute() / Path(name).expanduser() for place in (folder, data_root) if place is not None]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        looked = " nor ".join(map(str, places)) or "a recipe's folder"
        root = "" if data_root is not None else "; --data-root may name another folder to look in"
        raise UserError(
            f"{experiment} needs the file '{name}', which its parameters name, and there is no file {looked}{root}"
        )
    before = seen(path)
    try:
        with open(path, "rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: the input '{name}' of {experiment} cannot be read ({error.strerror})") from error
    require_unchanged([before])
    return Input(name, digest, before)
