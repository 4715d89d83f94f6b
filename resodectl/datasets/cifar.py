"""CIFAR-10 and CIFAR-100: 32 x 32 colour images in batches, in either of their two public forms.

Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009. The Python form pickles a
dictionary with `data` (one row of 3072 bytes an image: red, green, blue) and labels; the binary form writes each image
as bytes for its labels, the finest last, and the same 3072 bytes.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resodectl.datasets.dataset import Dataset, Examples, check_labels, damaged, files_of, read_bytes
from resodectl.datasets.unpickling import RefusedError, unpickle

SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32
PEAK = 255


class Layout(NamedTuple):
    """The folders of the two forms, the batches (the last one is for testing), where labels stand, and the classes."""

    folders: tuple[str, str]
    batches: tuple[str, ...]
    labels: str  # the key in the dictionary
    label_bytes: int  # before the image, the last of which counts
    classes: int


LAYOUTS = {
    "cifar10": Layout(
        ("cifar-10-batches-py", "cifar-10-batches-bin"),
        (*(f"data_batch_{index}" for index in range(1, 6)), "test_batch"),
        labels="labels",
        label_bytes=1,
        classes=10,
    ),
    "cifar100": Layout(
        ("cifar-100-python", "cifar-100-binary"),
        ("train", "test"),
        labels="fine_labels",
        label_bytes=2,  # the coarse label, which is left out, and the fine one
        classes=100,
    ),
}


def locate(name: str, root: Path | None) -> list[Path]:
    """The batches, in their order.

    Raises:
        DataError: they are not all there.
    """
    layout = LAYOUTS[name]
    return files_of(name, root, layout.folders, [(batch, f"{batch}.bin") for batch in layout.batches])


def read(name: str, files: list[Path]) -> Dataset:
    """Images as uint8 in the published split.

    Raises:
        DataError: a file is damaged.
    """
    *train, test = [_binary(name, path) if path.suffix == ".bin" else _pickled(name, path) for path in files]
    joined = Examples(np.concatenate([part.inputs for part in train]), np.concatenate([part.labels for part in train]))
    return Dataset(name, joined, test, LAYOUTS[name].classes, PEAK)


def _pickled(name: str, path: Path) -> Examples:
    key = LAYOUTS[name].labels
    expected = f"a pickled dictionary of 'data', rows of {PIXELS} bytes, and '{key}'"
    try:
        content = unpickle(read_bytes(name, path))
    except RefusedError as error:
        raise damaged(name, path, expected, str(error)) from error
    images, labels = content.get("data"), content.get(key)
    if not isinstance(images, np.ndarray) or images.ndim != 2 or images.shape[1] != PIXELS or not len(images):
        found = f"'data' of shape {images.shape}" if isinstance(images, np.ndarray) else "no array 'data'"
        raise damaged(name, path, expected, found)
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise damaged(name, path, expected, f"no list of integers '{key}'")
    if len(labels) != len(images):
        raise damaged(name, path, f"one label for each of {len(images)} images", f"{len(labels)} labels")
    try:
        numbers = np.array(labels, np.int64)
    except OverflowError as error:
        raise damaged(name, path, f"labels 0 to {LAYOUTS[name].classes - 1}", "a label of more than 64 bits") from error
    return _checked(name, path, images, numbers)


def _binary(name: str, path: Path) -> Examples:
    data, before = np.frombuffer(read_bytes(name, path), np.uint8), LAYOUTS[name].label_bytes
    if not data.size or data.size % (PIXELS + before):
        raise damaged(name, path, f"records of {PIXELS + before} bytes", f"{data.size} bytes")
    records = data.reshape(-1, PIXELS + before)
    return _checked(name, path, records[:, before:], records[:, before - 1].astype(np.int64))


def _checked(name: str, path: Path, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Examples:
    check_labels(name, path, labels, LAYOUTS[name].classes)
    return Examples(np.array(images).reshape(-1, *SHAPE), labels)


def encode(examples: Examples) -> bytes:
    """The binary batch of examples of CIFAR-10: the inverse of reading one."""
    labels = examples.labels.astype(np.uint8)[:, None]
    return np.concatenate([labels, examples.inputs.reshape(len(examples), PIXELS)], axis=1).tobytes()
