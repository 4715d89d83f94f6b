"""CIFAR-10: 32 x 32 colour images in five training batches and a test batch, in either of its two public forms.

Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009. The Python form pickles a
dictionary with `data` (one row of 3072 bytes an image: red, green, blue) and `labels`; the binary form writes each
image as a byte for the label and the same 3072 bytes.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resodectl.datasets.dataset import Dataset, Examples, check_labels, damaged, missing, read_bytes
from resodectl.datasets.unpickling import RefusedError, unpickle

SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32
CLASSES = 10
PEAK = 255
BATCHES = (*(f"data_batch_{index}" for index in range(1, 6)), "test_batch")
FOLDERS = {"cifar-10-batches-py": "", "cifar-10-batches-bin": ".bin"}


def locate(name: str, root: Path | None) -> list[Path]:
    """The six batches, in the order of `BATCHES`.

    Raises:
        DataError: they are not all there.
    """
    if root is None:
        raise missing(name, root)
    for folder, suffix in FOLDERS.items():
        if (root / folder).is_dir():
            files = [root / folder / f"{batch}{suffix}" for batch in BATCHES]
            lacking = [path for path in files if not path.is_file()]
            if lacking:
                raise missing(name, root, *lacking[:1])
            return files
    raise missing(name, root, *(root / folder for folder in FOLDERS))


def read(name: str, files: list[Path]) -> Dataset:
    """Images as uint8 in the published split.

    Raises:
        DataError: a file is damaged.
    """
    *train, test = [_binary(name, path) if path.suffix == ".bin" else _pickled(name, path) for path in files]
    joined = Examples(np.concatenate([part.images for part in train]), np.concatenate([part.labels for part in train]))
    return Dataset(name, joined, test, CLASSES, PEAK)


def _pickled(name: str, path: Path) -> Examples:
    expected = f"a pickled dictionary of 'data', rows of {PIXELS} bytes, and 'labels'"
    try:
        content = unpickle(read_bytes(name, path))
    except RefusedError as error:
        raise damaged(name, path, expected, str(error)) from error
    images, labels = content.get("data"), content.get("labels")
    if not isinstance(images, np.ndarray) or images.ndim != 2 or images.shape[1] != PIXELS or not len(images):
        found = f"'data' of shape {images.shape}" if isinstance(images, np.ndarray) else "no array 'data'"
        raise damaged(name, path, expected, found)
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise damaged(name, path, expected, "no list of integers 'labels'")
    if len(labels) != len(images):
        raise damaged(name, path, f"one label for each of {len(images)} images", f"{len(labels)} labels")
    return _checked(name, path, images, np.array(labels, np.int64))


def _binary(name: str, path: Path) -> Examples:
    data = np.frombuffer(read_bytes(name, path), np.uint8)
    if not data.size or data.size % (PIXELS + 1):
        raise damaged(name, path, f"records of {PIXELS + 1} bytes", f"{data.size} bytes")
    records = data.reshape(-1, PIXELS + 1)
    return _checked(name, path, records[:, 1:], records[:, 0].astype(np.int64))


def _checked(name: str, path: Path, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Examples:
    check_labels(name, path, labels, CLASSES)
    return Examples(np.array(images).reshape(-1, *SHAPE), labels)


def encode(examples: Examples) -> bytes:
    """The binary batch of examples: the inverse of reading one."""
    labels = examples.labels.astype(np.uint8)[:, None]
    return np.concatenate([labels, examples.images.reshape(len(examples), PIXELS)], axis=1).tobytes()
