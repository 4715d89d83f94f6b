"""MNIST and the sets that copy its form: four idx files of 28 x 28 images and labels, plain or compressed.

Source of the format: Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits, 1998. A big-endian
header (two zero bytes, the type, the number of axes, the length of each) and then the bytes themselves.
"""

import math
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resodectl.datasets.dataset import Dataset, Examples, check_labels, damaged, files_of, read_unpacked

SIZE = 28
CLASSES = 10
PEAK = 255
UNSIGNED_BYTE = 8
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
FOLDERS = {"mnist": ("mnist", "MNIST/raw"), "fashion-mnist": ("fashion-mnist", "FashionMNIST/raw")}


def locate(name: str, root: Path | None) -> list[Path]:
    """The four files, in the order of `FILES`, under the usual folder names.

    Raises:
        DataError: they are not all there.
    """
    dotted = [file.replace("-idx", ".idx") for file in FILES]
    spellings = [(*both, *(f"{file}.gz" for file in both)) for both in zip(FILES, dotted, strict=True)]
    return files_of(name, root, FOLDERS[name], spellings)


def read(name: str, files: list[Path]) -> Dataset:
    """Images as uint8 in the published split.

    Raises:
        DataError: a file is damaged, or images and labels do not match.
    """
    train_images, train_labels, test_images, test_labels = files
    train, test = examples(name, train_images, train_labels), examples(name, test_images, test_labels)
    return Dataset(name, train, test, CLASSES, PEAK)


def examples(name: str, images_path: Path, labels_path: Path) -> Examples:
    """The images of a file and the labels of another.

    Raises:
        DataError: a file is damaged, or they do not match.
    """
    images = decode(name, images_path, axes=3)
    labels = decode(name, labels_path, axes=1).astype(np.int64)
    if images.shape[1:] != (SIZE, SIZE):
        raise damaged(name, images_path, f"images of {SIZE} x {SIZE}", "images of {} x {}".format(*images.shape[1:]))
    if len(images) != len(labels):
        raise damaged(name, labels_path, f"one label for each of {len(images)} images", f"{len(labels)} labels")
    check_labels(name, labels_path, labels, CLASSES)
    return Examples(images[:, None], labels)


def decode(name: str, path: Path, axes: int) -> NDArray[np.uint8]:
    """The array of an idx file of unsigned bytes.

    Raises:
        DataError: the file is no such file, or its length is not what its header says.
    """
    data = read_unpacked(name, path)
    start = 4 * (1 + axes)
    magic = bytes((0, 0, UNSIGNED_BYTE, axes))
    if data[:4] != magic or len(data) < start:
        raise damaged(name, path, f"an idx file that begins with {magic.hex()}", data[:4].hex() or "an empty file")
    shape = struct.unpack(f">{axes}I", data[4:start])
    count = math.prod(shape)
    if shape[0] == 0 or len(data) != start + count:
        raise damaged(name, path, f"{start + count} bytes for {shape[0]} entries", f"{len(data)} bytes")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape).copy()


def encode(array: NDArray[np.uint8]) -> bytes:
    """The idx file of an array of unsigned bytes: the inverse of `decode`."""
    header = bytes((0, 0, UNSIGNED_BYTE, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + np.ascontiguousarray(array).tobytes()
