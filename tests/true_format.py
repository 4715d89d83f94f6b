"""Small files in the true format of the published sets: the record layout of the originals, fewer samples."""

import gzip
import pickle
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")


def some(shape: tuple[int, ...], seed: int = 0) -> tuple[NDArray[np.uint8], list[int]]:
    """Random images of `shape` (the samples first) and labels."""
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, shape, np.uint8), generator.integers(0, 10, shape[0]).tolist()


def python2_batch(rows: NDArray[np.uint8], labels: list[int]) -> bytes:
    """A CIFAR-10 batch as Python 2 and its numpy pickled it (protocol 2, byte strings throughout), as published."""

    def text(value: bytes) -> bytes:
        return pickle.SHORT_BINSTRING + bytes([len(value)]) + value

    def integer(value: int) -> bytes:
        return pickle.BININT + struct.pack("<i", value)

    dtype = (
        b"cnumpy\ndtype\n(" + text(b"u1") + integer(0) + integer(1) + b"tR("
        + integer(3) + text(b"|") + b"NNN" + integer(-1) + integer(-1) + integer(0) + b"tb"
    )  # fmt: skip
    content = rows.tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(" + integer(0) + b"t" + text(b"b") + b"tR("
        + integer(1) + b"(" + integer(rows.shape[0]) + integer(rows.shape[1]) + b"t" + dtype + pickle.NEWFALSE
        + pickle.BINSTRING + struct.pack("<i", len(content)) + content + b"tb"
    )  # fmt: skip
    items = (
        text(b"batch_label") + text(b"training batch 1 of 5")
        + text(b"labels") + b"](" + b"".join(map(integer, labels)) + b"e"
        + text(b"data") + array
        + text(b"filenames") + b"](" + b"".join(text(b"leptodactylus_s_%06d.png" % label) for label in labels) + b"e"
    )  # fmt: skip
    return b"\x80\x02}(" + items + b"u."


def binary_batch(rows: NDArray[np.uint8], labels: list[int]) -> bytes:
    return b"".join(bytes([label]) + row.tobytes() for row, label in zip(rows, labels, strict=True))


def write_cifar10(root: Path, form: str, samples: int = 3) -> dict[str, tuple[NDArray[np.uint8], list[int]]]:
    """CIFAR-10 with `samples` images a batch, in the form "py" or "bin"; returns the rows and labels of the batches."""
    folder = root / f"cifar-10-batches-{form}"
    folder.mkdir(parents=True)
    batches = {batch: some((samples, 3072), seed) for seed, batch in enumerate(BATCHES)}
    for batch, (rows, labels) in batches.items():
        if form == "py":
            (folder / batch).write_bytes(python2_batch(rows, labels))
        else:
            (folder / f"{batch}.bin").write_bytes(binary_batch(rows, labels))
    return batches


def idx_file(array: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_mnist(folder: Path, compressed: bool, samples: int = 5) -> dict[str, tuple[NDArray[np.uint8], list[int]]]:
    """The four idx files with `samples` images each; returns the images and labels of "train" and "t10k"."""
    folder.mkdir(parents=True)
    parts = {part: some((samples, 28, 28), seed) for seed, part in enumerate(("train", "t10k"))}
    for part, (images, labels) in parts.items():
        for name, array in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", np.uint8(labels))):
            data = idx_file(np.asarray(array))
            (folder / (f"{name}.gz" if compressed else name)).write_bytes(gzip.compress(data) if compressed else data)
    return parts
