"""Is a data set that is here the published one? Its checksums, its shapes and its number of examples in each class."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from resodectl.datasets.catalogue import SETS, Facts
from resodectl.datasets.dataset import DamagedError, DataError, Examples, damaged, read_bytes, read_unpacked
from resodectl.datasets.load import load, locate


class Verified(NamedTuple):
    """What was looked at: the files, how many of them have a published checksum, and the examples."""

    files: list[Path]
    with_checksum: int
    train: int
    test: int


def verify(name: str, root: Path | None) -> Verified:
    """Compare a data set that is here with what is published of it.

    Raises:
        DataError: no set has that name, or it is missing, damaged or another one.
    """
    files = locate(name, root)
    facts = SETS[name]
    with_checksum = sum(matches(name, path, facts) for path in files)
    dataset = load(name, root)
    for part, examples, published in (("training", dataset.train, facts.train), ("test", dataset.test, facts.test)):
        if examples.inputs.shape[1:] != facts.shape:
            raise _other(name, files, f"{part} examples of shape {facts.shape}", f"{examples.inputs.shape[1:]}")
        counts = _counts(examples, published, dataset.classes)
        if counts != published:
            what = f"{part} examples" + (" of the classes" if len(published) > 1 else "")
            raise _other(name, files, f"{_listed(published)} {what}", _listed(counts) or "none")
    return Verified(files, with_checksum, len(dataset.train), len(dataset.test))


def matches(name: str, path: Path, facts: Facts) -> bool:
    """Whether a checksum of a file is published, which the file then has; a .gz may have that of what it unpacks to.

    Raises:
        DataError: it has another checksum, or cannot be read.
    """
    plain = path.name not in facts.checksums and path.suffix == ".gz"
    file = path.stem if plain else path.name
    kind, _, published = facts.checksums.get(file, "").partition(":")
    if not published:
        return False
    data = read_unpacked(name, path) if plain else read_bytes(name, path)
    found = hashlib.new(kind, data).hexdigest()
    if found != published:
        raise damaged(name, path, f"{file} with the published {kind} {published}", found)
    return True


def _counts(examples: Examples, published: tuple[int, ...], classes: int) -> tuple[int, ...]:
    """The examples of each class, or all of them where no more is published."""
    if len(published) < classes:
        return (len(examples),) if published or len(examples) else ()
    return tuple(np.bincount(examples.labels, minlength=classes).tolist())


def _listed(counts: tuple[int, ...]) -> str:
    return ", ".join(map(str, counts))


def _other(name: str, files: list[Path], expected: str, found: str) -> DataError:
    message = f"{files[0].parent}: is not the published data set '{name}': expected {expected}, found {found}"
    return DamagedError(message, expected, found)
