"""Fetching a data set from OpenML, and writing it in the public form that `load` reads.

OpenML keeps the published training examples first and the test examples after them; that, and the pixels where their
digest is published, is checked before anything is written.
"""

import hashlib
import tempfile
import warnings
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resodectl.datasets import cifar, idx
from resodectl.datasets.catalogue import SETS, Facts
from resodectl.datasets.dataset import DataError, Examples
from resodectl.errors import suggestion
from resodectl.files import require_writable, write_atomically


def fetch(name: str, root: Path) -> list[Path]:
    """Fetch a data set into `root`; returns its files. What is there already is replaced, each file whole.

    Raises:
        DataError: no set has that name, OpenML cannot be reached, or what came is not the published set.
        UserError: `root` cannot be written to.
    """
    if name not in SETS:
        raise DataError(f"there is no data set '{name}'; {suggestion(name, SETS)}")
    facts = SETS[name]
    if facts.openml is None:
        raise DataError(f"the data set '{name}' need not be fetched: it is {facts.layout}")
    require_writable(root, "data-root")
    images, labels = _from_openml(name, facts, root)
    size = sum(facts.train)
    train, test = Examples(images[:size], labels[:size]), Examples(images[size:], labels[size:])
    _check_counts(name, facts, train, test)
    files = _WRITERS[name](name, train, test)
    for file, data in files.items():
        _check_sum(name, facts, file, data)
    for file, data in files.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(root / file, data)
    return [root / file for file in files]


def _from_openml(name: str, facts: Facts, root: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All images and labels in OpenML's order."""
    from sklearn.datasets import fetch_openml

    source = f"https://www.openml.org/d/{facts.openml}"
    try:
        # Downloaded beside its destination, not into the home folder, and kept no longer than it takes.
        with tempfile.TemporaryDirectory(prefix=".openml-", dir=root) as cache, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of every try that fails; the last one is an error
            bunch = fetch_openml(data_id=facts.openml, as_frame=False, parser="auto", data_home=cache)
    except (OSError, ValueError, HTTPException) as error:
        why = str(getattr(error, "reason", None) or error).strip().rstrip(".")
        raise DataError(
            f"the data set '{name}' could not be fetched from {source}: {why}; try again, or put it in {root} as "
            f"{facts.layout} (source: {facts.source})"
        ) from error
    total = sum(facts.train) + sum(facts.test)
    pixels, labels = np.asarray(bunch.data), np.asarray(bunch.target)
    expected = (total, int(np.prod(facts.shape)))
    if pixels.shape != expected or labels.shape != (total,):
        raise _other(name, source, f"{expected[0]} images of {expected[1]} pixels", f"an array of shape {pixels.shape}")
    with np.errstate(invalid="ignore"):
        images = pixels.astype(np.uint8)
    if not np.array_equal(images, pixels):
        raise _other(name, source, "whole pixels from 0 to 255", "others")
    try:
        return images.reshape(total, *facts.shape), labels.astype(np.float64).astype(np.int64)
    except ValueError as error:
        raise _other(name, source, "labels that are numbers", f"the label {labels[0]!r}") from error


def _check_counts(name: str, facts: Facts, train: Examples, test: Examples) -> None:
    """The published split is there only if each of its parts has the published number of examples of each class."""
    classes = len(facts.train)
    for part, examples, expected in (("training", train, facts.train), ("test", test, facts.test)):
        counts = tuple(np.bincount(examples.labels.clip(0, classes), minlength=classes).tolist())
        if counts != expected:
            raise _other(name, "OpenML", f"{expected} {part} examples of the classes", str(counts))


def _check_sum(name: str, facts: Facts, file: str, data: bytes) -> None:
    kind, _, published = facts.checksums.get(Path(file).name, "").partition(":")
    if published and hashlib.new(kind, data).hexdigest() != published:
        raise _other(name, "OpenML", f"{Path(file).name} with the published {kind} {published}", "another")


def _other(name: str, source: str, expected: str, found: str) -> DataError:
    return DataError(
        f"what {source} sent is not the published data set '{name}': expected {expected}, found {found}; "
        f"nothing was written; take it from {SETS[name].source}"
    )


def _cifar_files(name: str, train: Examples, test: Examples) -> dict[str, bytes]:
    per_batch = -(-len(train) // 5)
    batches = [
        Examples(train.images[i:][:per_batch], train.labels[i:][:per_batch]) for i in range(0, len(train), per_batch)
    ]
    return {
        f"cifar-10-batches-bin/{batch}.bin": cifar.encode(examples)
        for batch, examples in zip(cifar.BATCHES, (*batches, test), strict=True)
    }


def _idx_files(name: str, train: Examples, test: Examples) -> dict[str, bytes]:
    arrays = [np.asarray(array, np.uint8) for part in (train, test) for array in (part.images[:, 0], part.labels)]
    return {f"{idx.FOLDERS[name][0]}/{file}": idx.encode(array) for file, array in zip(idx.FILES, arrays, strict=True)}


_WRITERS: dict[str, Callable[[str, Examples, Examples], dict[str, bytes]]] = {
    "cifar10": _cifar_files,
    "mnist": _idx_files,
    "fashion-mnist": _idx_files,
}
