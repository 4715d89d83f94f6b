"""Fetching a data set and writing it in the public form that `load` reads.

It comes from its publisher, or through scikit-learn from OpenML or UCI. OpenML keeps the published training examples
first and the test examples after them. All is written into a folder beside its place, compared there with what is
published, and moved only if it is the same.
"""

import shutil
import tarfile
import tempfile
import urllib.request
import warnings
import zlib
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from resodectl.datasets import cifar, idx, libsvm
from resodectl.datasets.catalogue import SETS, Facts
from resodectl.datasets.dataset import DamagedError, DataError, Examples
from resodectl.datasets.verify import matches, verify
from resodectl.errors import suggestion
from resodectl.files import require_writable

PATIENCE = 60  # seconds without an answer


def fetch(name: str, root: Path) -> list[Path]:
    """Fetch a data set into `root`; returns its files. What is there already is replaced, each file whole.

    Raises:
        DataError: no set has that name, its source cannot be reached, or what came is not the published set.
        UserError: `root` cannot be written to.
    """
    if name not in SETS:
        raise DataError(f"there is no data set '{name}'; {suggestion(name, SETS)}")
    facts = SETS[name]
    if name not in _SOURCES:
        raise DataError(f"the data set '{name}' need not be fetched: it is {facts.layout}")
    require_writable(root, "data-root")
    source = _source(facts)
    # Everything stays beside its destination, not in the home folder, and no longer than it takes.
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=root) as folder:
        staging = Path(folder)
        try:
            _SOURCES[name](name, facts, staging)
            files = verify(name, staging / name).files
        except DamagedError as error:
            raise _other(name, source, error.expected, error.found) from error
        except (OSError, HTTPException, ValueError) as error:
            why = str(getattr(error, "reason", None) or error).strip().rstrip(".")
            raise DataError(
                f"the data set '{name}' could not be fetched from {source}: {why}; try again, or put it in {root} as "
                f"{facts.layout} (source: {facts.source})"
            ) from error
        places = [root / path.relative_to(staging / name) for path in files]
        for path, place in zip(files, places, strict=True):
            place.parent.mkdir(parents=True, exist_ok=True)
            path.replace(place)
    return places


def _source(facts: Facts) -> str:
    """Where a set is fetched from, in words."""
    if facts.urls:
        return facts.urls[0].rpartition("/")[0]
    return f"https://www.openml.org/d/{facts.openml}" if facts.openml else "the mirror that scikit-learn knows"


def _download(name: str, facts: Facts, staging: Path) -> list[Path]:
    """The files of the publisher as they are, in `staging`."""
    files = []
    for url in facts.urls:
        path = staging / Path(urlsplit(url).path).name
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer, path.open("wb") as file:
            shutil.copyfileobj(answer, file)
            length = answer.headers["Content-Length"]
        if length is not None and path.stat().st_size != int(length):
            raise ValueError(f"{path.name} broke off after {path.stat().st_size} of {length} bytes")
        matches(name, path, facts)
        files.append(path)
    return files


def _files(name: str, facts: Facts, staging: Path) -> None:
    """The publisher's files, in the folder of the set."""
    place = staging / name / name
    place.mkdir(parents=True)
    for path in _download(name, facts, staging):
        path.replace(place / path.name)


def _archive(name: str, facts: Facts, staging: Path) -> None:
    """The batches in the publisher's archive; nothing else of it is unpacked."""
    (path,) = _download(name, facts, staging)
    layout = cifar.LAYOUTS[name]
    place = staging / name / layout.folders[0]
    place.mkdir(parents=True)
    try:
        with tarfile.open(path) as archive:
            for batch in layout.batches:
                inside = archive.extractfile(f"{layout.folders[0]}/{batch}")
                if inside is None:
                    raise KeyError(f"{batch} is no file")
                with inside, (place / batch).open("wb") as file:
                    shutil.copyfileobj(inside, file)
    except (tarfile.TarError, KeyError, EOFError, zlib.error, OSError) as error:
        raise _other(name, _source(facts), f"an archive of {', '.join(layout.batches)}", str(error)) from error


def _from_openml(name: str, facts: Facts, staging: Path) -> None:
    """All images and labels in OpenML's order, which are the published ones in turn."""
    from sklearn.datasets import fetch_openml

    source = _source(facts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of every try that fails; the last one is an error
        bunch = fetch_openml(data_id=facts.openml, as_frame=False, parser="auto", data_home=str(staging))
    size, total = sum(facts.train), sum(facts.train) + sum(facts.test)
    pixels, labels = np.asarray(bunch.data), np.asarray(bunch.target)
    expected = (total, int(np.prod(facts.shape)))
    if pixels.shape != expected or labels.shape != (total,):
        raise _other(name, source, f"{expected[0]} images of {expected[1]} pixels", f"an array of shape {pixels.shape}")
    with np.errstate(invalid="ignore"):
        images = pixels.astype(np.uint8)
    if not np.array_equal(images, pixels):
        raise _other(name, source, "whole pixels from 0 to 255", "others")
    whole = Examples(images.reshape(total, *facts.shape), _numbers(name, source, labels))
    for file, data in _WRITERS[name](name, whole.part(slice(size)), whole.part(slice(size, None))).items():
        (staging / name / file).parent.mkdir(parents=True, exist_ok=True)
        (staging / name / file).write_bytes(data)


def _numbers(name: str, source: str, labels: NDArray[np.generic]) -> NDArray[np.int64]:
    try:
        return labels.astype(np.float64).astype(np.int64)
    except ValueError as error:
        raise _other(name, source, "labels that are numbers", f"the label {labels[0]!r}") from error


def _covtype(name: str, facts: Facts, staging: Path) -> None:
    """The features and labels of UCI's file, whose checksum scikit-learn knows, as the text of LIBSVM."""
    from sklearn.datasets import dump_svmlight_file, fetch_covtype

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bunch = fetch_covtype(data_home=str(staging))
    place = staging / name / name
    place.mkdir(parents=True)
    dump_svmlight_file(bunch.data, bunch.target, str(place / libsvm.LAYOUTS[name].files[0]), zero_based=False)


def _other(name: str, source: str, expected: str, found: str) -> DataError:
    return DataError(
        f"what {source} sent is not the published data set '{name}': expected {expected}, found {found}; "
        f"nothing was written; take it from {SETS[name].source}"
    )


def _cifar_files(name: str, train: Examples, test: Examples) -> dict[str, bytes]:
    layout = cifar.LAYOUTS[name]
    per_batch = -(-len(train) // (len(layout.batches) - 1))
    parts = [train.part(slice(start, start + per_batch)) for start in range(0, len(train), per_batch)]
    return {
        f"{layout.folders[1]}/{batch}.bin": cifar.encode(examples)
        for batch, examples in zip(layout.batches, (*parts, test), strict=True)
    }


def _idx_files(name: str, train: Examples, test: Examples) -> dict[str, bytes]:
    arrays = [np.asarray(array, np.uint8) for part in (train, test) for array in (part.inputs[:, 0], part.labels)]
    return {f"{idx.FOLDERS[name][0]}/{file}": idx.encode(array) for file, array in zip(idx.FILES, arrays, strict=True)}


_SOURCES: dict[str, Callable[[str, Facts, Path], None]] = {
    "cifar10": _from_openml,
    "mnist": _from_openml,
    "fashion-mnist": _from_openml,
    "cifar100": _archive,
    "svhn": _files,
    "ijcnn1": _files,
    "covtype": _covtype,
}
_WRITERS: dict[str, Callable[[str, Examples, Examples], dict[str, bytes]]] = {
    "cifar10": _cifar_files,
    "mnist": _idx_files,
    "fashion-mnist": _idx_files,
}
