"""SVHN, the cropped digits of street view house numbers: 32 x 32 colour images in two MATLAB files.

Source: Y. Netzer et al., Reading Digits in Natural Images with Unsupervised Feature Learning, 2011. A file has the
images `X`, (height, width, channels, samples), and the labels `y`, where 10 stands for the digit 0.
"""

import io
from pathlib import Path

import numpy as np

from resodectl.datasets.dataset import Dataset, Examples, check_labels, damaged, files_of, read_bytes

SHAPE = (32, 32, 3)
CLASSES = 10
PEAK = 255
FILES = ("train_32x32.mat", "test_32x32.mat")
FOLDERS = ("svhn", "SVHN")


def locate(name: str, root: Path | None) -> list[Path]:
    """The files for training and for testing.

    Raises:
        DataError: they are not both there.
    """
    return files_of(name, root, FOLDERS, [(file,) for file in FILES])


def read(name: str, files: list[Path]) -> Dataset:
    """Images as uint8 in the published split; the class of a digit is the digit.

    Raises:
        DataError: a file is damaged.
    """
    train, test = (_examples(name, path) for path in files)
    return Dataset(name, train, test, CLASSES, PEAK)


def _examples(name: str, path: Path) -> Examples:
    from scipy.io import loadmat

    expected = "a MATLAB file with the images 'X' and the labels 'y'"
    data = read_bytes(name, path)
    try:
        content = loadmat(io.BytesIO(data), variable_names=("X", "y"))
    except Exception as error:  # whatever a damaged file makes of the reader
        raise damaged(name, path, expected, f"a damaged file ({error})" if str(error) else "a damaged file") from error
    images, labels = content.get("X"), content.get("y")
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[:3] != SHAPE or images.ndim != 4:
        found = f"{images.dtype} 'X' of shape {images.shape}" if isinstance(images, np.ndarray) else "no 'X'"
        raise damaged(name, path, "bytes 'X' of shape (32, 32, 3, samples)", found)
    if not isinstance(labels, np.ndarray) or labels.shape != (images.shape[3], 1) or labels.dtype.kind not in "iu":
        found = f"{labels.dtype} 'y' of shape {labels.shape}" if isinstance(labels, np.ndarray) else "no 'y'"
        raise damaged(name, path, f"one integer 'y' for each of {images.shape[3]} images", found)
    numbers = labels[:, 0].astype(np.int64)
    check_labels(name, path, numbers, CLASSES, first=1)
    return Examples(np.ascontiguousarray(images.transpose(3, 2, 0, 1)), numbers % CLASSES)
