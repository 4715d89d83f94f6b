"""Small files in the true format of the published sets: the record layout of the originals, fewer samples."""

import bz2
import gzip
import pickle
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")


def some(shape: tuple[int, ...], seed: int = 0, classes: int = 10) -> tuple[NDArray[np.uint8], list[int]]:
    """Random images of `shape` (the samples first) and labels."""
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, shape, np.uint8), generator.integers(0, classes, shape[0]).tolist()


def python2_batch(rows: NDArray[np.uint8], labels: list[int], **more: list[int]) -> bytes:
    """A batch of CIFAR as Python 2 and its numpy pickled it (protocol 2, byte strings throughout), as published.

    `labels` are those of CIFAR-10; CIFAR-100 has other lists of labels, which `more` gives by name.
    """

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
    lists = more or {"labels": labels}
    items = (
        text(b"batch_label") + text(b"training batch 1 of 5")
        + b"".join(text(key.encode()) + b"](" + b"".join(map(integer, own)) + b"e" for key, own in lists.items())
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


def write_cifar100(root: Path, form: str, samples: int = 3) -> dict[str, tuple[NDArray[np.uint8], list[int]]]:
    """CIFAR-100 with `samples` images a batch, in the form "python" or "binary"; the rows and fine labels of each."""
    folder = root / f"cifar-100-{form}"
    folder.mkdir(parents=True)
    batches = {batch: some((samples, 3072), seed, classes=100) for seed, batch in enumerate(("train", "test"))}
    for batch, (rows, fine) in batches.items():
        coarse = [label // 5 for label in fine]
        if form == "python":
            (folder / batch).write_bytes(python2_batch(rows, fine, coarse_labels=coarse, fine_labels=fine))
        else:
            records = (bytes([*labels]) + row.tobytes() for row, *labels in zip(rows, coarse, fine, strict=True))
            (folder / f"{batch}.bin").write_bytes(b"".join(records))
    return batches


def write_svhn(folder: Path, samples: int = 5) -> dict[str, tuple[NDArray[np.uint8], list[int]]]:
    """The two compressed MATLAB files; returns the images, `(32, 32, 3, samples)`, and the labels, 10 for a 0."""
    folder.mkdir(parents=True)
    parts = {part: some((32, 32, 3, samples), seed) for seed, part in enumerate(("train", "test"))}
    parts = {part: (images, [1 + (3 * k) % 10 for k in range(samples)]) for part, (images, _) in parts.items()}
    for part, (images, labels) in parts.items():
        content = {"X": images, "y": np.array(labels, np.uint8)[:, None]}
        savemat(folder / f"{part}_32x32.mat", content, do_compression=True)
    return parts


IJCNN1 = """\
-1 6:1 11:-0.73152 12:0.173431 13:0 14:0.00272 15:0.06 16:0.0317 22:-0.01
1 1:1 11:-0.3 13:0.2535
-1 2:1 11:-0.73 12:0.173431 22:0.125
"""  # as published: labels -1 and 1, index:value from 1 on, zeros may be left out
COVTYPE = "5 1:2596 2:51 3:3 4:258 6:510 7:221 8:232 9:148 10:6279 11:1 43:1\n7 1:2590 2:56 54:1\n"


def write_libsvm(root: Path, compressed: bool) -> None:
    """IJCNN1, with the same three examples to train on and to test with, and two examples of covtype."""
    for name, files in (("ijcnn1", {"ijcnn1": IJCNN1, "ijcnn1.t": IJCNN1}), ("covtype", {"covtype": COVTYPE})):
        (root / name).mkdir(parents=True)
        for file, text in files.items():
            data = text.encode()
            path = root / name / (f"{file}.bz2" if compressed else file)
            path.write_bytes(bz2.compress(data) if compressed else data)


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
