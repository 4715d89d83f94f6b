"""Data sets by name: what they hold, and the digest of the files that they come from."""

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from resodectl.datasets import cifar, digits, idx, libsvm, mnist10k, svhn
from resodectl.datasets.dataset import DataError, Dataset, read_bytes
from resodectl.errors import suggestion

FORMATS = {
    "digits": digits,
    "mnist-10k": mnist10k,
    "mnist": idx,
    "fashion-mnist": idx,
    "cifar10": cifar,
    "cifar100": cifar,
    "svhn": svhn,
    "ijcnn1": libsvm,
    "covtype": libsvm,
}

_declared: list[Collection[str]] = []  # of the cell that is being computed, if there is one


@contextmanager
def declared(names: Collection[str]) -> Iterator[None]:
    """The block computes a cell whose address covers these data sets, and no others."""
    _declared.append(names)
    try:
        yield
    finally:
        _declared.pop()


def load(name: str, root: Path | None) -> Dataset:
    """The data set `name`, inputs as published: shapes and types as in `Dataset`.

    Args:
        root: the folder of the real data sets (--data-root); embedded sets do without.

    Raises:
        DataError: no set has that name, it is missing or damaged, or it is no part of the address of a cell that asks.
    """
    if _declared and name not in _declared[-1]:
        raise DataError(
            f"the simulation loads the data set '{name}', which no field of its Point names; give the field that does "
            "the type DataName or another of resodectl.experiment.choices, or mark its own with DataSet()"
        )
    dataset: Dataset = _format(name).read(name, locate(name, root))
    return dataset


def locate(name: str, root: Path | None) -> list[Path]:
    """The files that determine the data set, in a fixed order, without reading them.

    Raises:
        DataError: no set has that name, or a file is missing.
    """
    files: list[Path] = _format(name).locate(name, root)
    return files


def digest(name: str, root: Path | None) -> str:
    """The SHA-256 of the files that determine the data set; where they stand plays no part.

    Raises:
        DataError: as in `locate`.
    """
    hashed = hashlib.sha256()
    for path in locate(name, root):
        hashed.update(hashlib.sha256(read_bytes(name, path)).digest())
    return hashed.hexdigest()


def _format(name: str) -> ModuleType:
    if name not in FORMATS:
        raise DataError(f"there is no data set '{name}'; {suggestion(name, FORMATS)}")
    return FORMATS[name]
