"""Data sets by name: what they hold, and the digest of the files that they come from."""

import hashlib
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


def load(name: str, root: Path | None) -> Dataset:
    """The data set `name`, inputs as published: shapes and types as in `Dataset`.

    Args:
        root: the folder of the real data sets (--data-root); embedded sets do without.

    Raises:
        DataError: no set has that name, or it is missing or damaged.
    """
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
