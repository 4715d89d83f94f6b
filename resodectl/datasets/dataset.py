"""What every data set looks like once it is loaded, and the one error that loading raises."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resodectl.errors import UserError

SHIPPED = {"digits": "scikit-learn", "mnist-10k": "resodectl"}  # embedded sets, and the package that has each


class DataError(UserError):
    """A data set is missing or damaged."""


@dataclass(frozen=True)
class Examples:
    """Images `(samples, channels, height, width)`, uint8 or float64, with their labels `(samples,)`, int64."""

    images: NDArray[np.uint8] | NDArray[np.float64]
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
        return Examples(self.images[chosen], self.labels[chosen]), Examples(self.images[others], self.labels[others])


@dataclass(frozen=True)
class Dataset:
    """A data set with its published split, unchanged: pixels run from 0 to `peak`.

    A set without a published split, such as digits, has all its examples in `train` and none in `test`.
    """

    name: str
    train: Examples
    test: Examples
    classes: int
    peak: int


def missing(name: str, root: Path | None, *places: Path) -> DataError:
    """The error for a set of which nothing, or not all, stands in `places`."""
    where = f"--data-root {root}" if root else "--data-root DIR"
    if root is None:
        found = f"the data set '{name}' needs a folder, and neither --data-root nor RESODECTL_DATA names one"
    else:
        found = f"the data set '{name}' is not in {root} (there is no {' and no '.join(map(str, places))})"
    return DataError(f"{found}; fetch it with `resodectl data fetch {name} {where}`, or do without: --profile laptop")


def damaged(name: str, path: Path, expected: str, found: str) -> DataError:
    """The error for a file that is there but is not what it should be."""
    if name in SHIPPED:
        return unusable(name, f"has a damaged file {path} (expected {expected}, found {found})")
    return DataError(
        f"{path}: is no file of the data set '{name}': expected {expected}, found {found}; remove it and fetch the set "
        f"again with `resodectl data fetch {name} --data-root DIR`, or do without: --profile laptop"
    )


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


def check_labels(name: str, path: Path, labels: NDArray[np.int64], classes: int) -> None:
    """Refuse labels outside 0..classes-1.

    Raises:
        DataError: there is one.
    """
    wrong = labels[(labels < 0) | (labels >= classes)]
    if wrong.size:
        raise damaged(name, path, f"labels 0 to {classes - 1}", f"the label {wrong[0]}")
