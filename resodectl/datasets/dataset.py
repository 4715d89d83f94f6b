"""What every data set looks like once it is loaded, and the one error that loading raises."""

from __future__ import annotations

import bz2
import gzip
import shlex
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resodectl.errors import UserError

_UNPACKING = {".gz": ("gzip", gzip.decompress), ".bz2": ("bzip2", bz2.decompress)}
SHIPPED = {"digits": "scikit-learn", "mnist-10k": "resodectl"}  # embedded sets, and the package that has each


class DataError(UserError):
    """A data set is missing or damaged."""


class DamagedError(DataError):
    """A data set is there and is not what it should be: what was expected, and what was found."""

    def __init__(self, message: str, expected: str, found: str) -> None:
        super().__init__(message)
        self.expected, self.found = expected, found


@dataclass(frozen=True)
class Examples:
    """Inputs with their labels `(samples,)`, int64: the numbers of the classes, from 0.

    Inputs are images `(samples, channels, height, width)`, uint8 or float64, or features `(samples, features)`,
    float64.
    """

    inputs: NDArray[np.uint8] | NDArray[np.float64]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def split(self, size: int, generator: np.random.Generator) -> tuple[Examples, Examples]:
        """A random split into `size` examples and all others, both in random order.

        Raises:
            ValueError: a part would be empty.
        """
        if not 0 < size < len(self):
            raise ValueError(f"{len(self)} examples cannot be split into {size} and the others")
        order = generator.permutation(len(self))
        chosen, others = order[:size], order[size:]
        return self.part(chosen), self.part(others)

    def part(self, chosen: NDArray[np.intp] | slice) -> Examples:
        """The examples at some places, in that order."""
        return Examples(self.inputs[chosen], self.labels[chosen])

    def of_classes(self, *classes: int) -> Examples:
        """The examples of some classes alone, which are numbered anew from 0 in the order given.

        >>> Examples(np.arange(4.0)[:, None], np.array([0, 7, 3, 7])).of_classes(7, 0)
        Examples(inputs=array([[0.],
               [1.],
               [3.]]), labels=array([1, 0, 0]))
        """
        places = np.flatnonzero(np.isin(self.labels, classes))
        numbers = (self.labels[places, None] == np.array(classes)).argmax(1)
        return Examples(self.inputs[places], numbers.astype(np.int64))


@dataclass(frozen=True)
class Dataset:
    """A data set with its published split, unchanged: pixels run from 0 to `peak`, which features do not have.

    A set without a published split, such as digits, has all its examples in `train` and none in `test`.
    """

    name: str
    train: Examples
    test: Examples
    classes: int
    peak: int | None


def missing(name: str, root: Path | None, *places: Path) -> DataError:
    """The error for a set of which nothing, or not all, stands in `places`."""
    where = f"--data-root {shlex.quote(str(root))}" if root else "--data-root DIR"
    if root is None:
        found = f"the data set '{name}' needs a folder, and neither --data-root nor RESODECTL_DATA names one"
    else:
        found = f"the data set '{name}' is not in {root} (there is no {' and no '.join(map(str, places))})"
    return DataError(f"{found}; fetch it with `resodectl data fetch {name} {where}`, or do without: --profile laptop")


def files_of(name: str, root: Path | None, folders: Sequence[str], files: Sequence[Sequence[str]]) -> list[Path]:
    """The files of a set from the first of the `folders` of `root` that has them all, each in one of its spellings.

    Raises:
        DataError: no folder has them all.
    """
    if root is None:
        raise missing(name, root)
    there = [root / folder for folder in folders if (root / folder).is_dir()]
    for folder in there:
        found = [path for spellings in files for path in _first_file(folder, spellings)]
        if len(found) == len(files):
            return found
    lacking = [root / folder for folder in folders]
    if there:
        lacking = [there[0] / spellings[0] for spellings in files if not _first_file(there[0], spellings)][:1]
    raise missing(name, root, *lacking)


def _first_file(folder: Path, spellings: Sequence[str]) -> list[Path]:
    """The first spelling of a file that is there, or nothing."""
    return [folder / file for file in spellings if (folder / file).is_file()][:1]


def damaged(name: str, path: Path, expected: str, found: str) -> DamagedError:
    """The error for a file that is there but is not what it should be."""
    if name in SHIPPED:
        message = str(unusable(name, f"has a damaged file {path} (expected {expected}, found {found})"))
    else:
        message = (
            f"{path}: is no file of the data set '{name}': expected {expected}, found {found}; remove it and fetch "
            f"the set again with `resodectl data fetch {name} --data-root DIR`, or do without: --profile laptop"
        )
    return DamagedError(message, expected, found)


def unusable(name: str, why: str) -> DataError:
    """The error for an embedded set whose package lacks it or has it damaged."""
    return DataError(
        f"the data set '{name}' is shipped inside {SHIPPED[name]}, and the installed one {why}; "
        f"reinstall it with `pip install --force-reinstall {SHIPPED[name]}`"
    )


def read_bytes(name: str, path: Path) -> bytes:
    """The bytes of a file of a set.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read for the data set '{name}': {error.strerror or error}") from error


def read_unpacked(name: str, path: Path) -> bytes:
    """The bytes of a file of a set, or those that a `.gz` or `.bz2` holds.

    Raises:
        DataError: it cannot be read or unpacked.
    """
    data = read_bytes(name, path)
    if path.suffix not in _UNPACKING:
        return data
    form, unpack = _UNPACKING[path.suffix]
    try:
        return unpack(data)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise damaged(name, path, f"a whole {form} file", str(error).lower()) from error


def check_labels(name: str, path: Path, labels: NDArray[np.int64], classes: int, first: int = 0) -> None:
    """Refuse labels outside `first` to `first + classes - 1`.

    Raises:
        DataError: there is one.
    """
    wrong = labels[(labels < first) | (labels >= first + classes)]
    if wrong.size:
        raise damaged(name, path, f"labels {first} to {first + classes - 1}", f"the label {wrong[0]}")
