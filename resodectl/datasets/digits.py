"""The digits of scikit-learn: 1797 images of 8 x 8 pixels with values 0 to 16, shipped inside that package.

Read straight from its file, so that neither a digest nor a small run has to import scikit-learn.
Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998.
"""

import importlib.util
from pathlib import Path

import numpy as np

from resodectl.datasets.dataset import Dataset, Examples, read_unpacked, unusable

SIZE = 8
CLASSES = 10
PEAK = 16


def locate(name: str, root: Path | None) -> list[Path]:
    """The file inside scikit-learn; `root` plays no part.

    Raises:
        DataError: this scikit-learn does not have it.
    """
    package = importlib.util.find_spec("sklearn")
    folders = (package.submodule_search_locations or ()) if package else ()
    for folder in folders:
        path = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            return [path]
    raise unusable(name, "has no datasets/data/digits.csv.gz")


def read(name: str, files: list[Path]) -> Dataset:
    """All images, as float64, in `train`: the set has no published split.

    Raises:
        DataError: the file is damaged.
    """
    (path,) = files
    try:
        table = np.loadtxt(read_unpacked(name, path).decode().splitlines(), delimiter=",", ndmin=2)
    except ValueError as error:
        raise unusable(name, f"has a damaged file {path} ({error})") from error
    if table.shape[1] != SIZE * SIZE + 1:
        raise unusable(name, f"has a damaged file {path} (lines of {table.shape[1]} numbers, not {SIZE * SIZE + 1})")
    images = table[:, :-1].reshape(-1, 1, SIZE, SIZE)
    labels = table[:, -1].astype(np.int64)
    return Dataset(name, Examples(images, labels), Examples(images[:0], labels[:0]), CLASSES, PEAK)
