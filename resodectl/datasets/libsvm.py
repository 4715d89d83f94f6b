"""Sets of features in the text format of LIBSVM: a line an example, its label and `index:value` from index 1 on.

Source: C.-C. Chang, C.-J. Lin, LIBSVM: a library for support vector machines, 2011, and its page of data sets. Files
are plain or compressed by bzip2, as published.
"""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

from resodectl.datasets.dataset import Dataset, Examples, damaged, files_of, read_unpacked


class Layout(NamedTuple):
    """The files (for training, and for testing if there is a split), the number of features and the labels."""

    files: tuple[str, ...]
    features: int
    labels: tuple[int, ...]


LAYOUTS = {
    "ijcnn1": Layout(("ijcnn1", "ijcnn1.t"), 22, (-1, 1)),
    "covtype": Layout(("covtype",), 54, tuple(range(1, 8))),
}


def locate(name: str, root: Path | None) -> list[Path]:
    """The files, in the folder that has the name of the set.

    Raises:
        DataError: they are not all there.
    """
    return files_of(name, root, (name,), [(file, f"{file}.bz2") for file in LAYOUTS[name].files])


def read(name: str, files: list[Path]) -> Dataset:
    """Features as float64 `(samples, features)`; classes are numbered in the order of the published labels.

    Raises:
        DataError: a file is damaged.
    """
    train, *test = (_examples(name, path) for path in files)
    return Dataset(name, train, test[0] if test else train.part(slice(0)), len(LAYOUTS[name].labels), None)


def _examples(name: str, path: Path) -> Examples:
    from sklearn.datasets import load_svmlight_file

    layout = LAYOUTS[name]
    expected = f"lines of a label and up to {layout.features} features, index:value"
    data = read_unpacked(name, path)
    if not data.endswith(b"\n"):
        raise damaged(name, path, expected, "a last line without its end" if data else "an empty file")
    try:
        sparse, labels = load_svmlight_file(io.BytesIO(data), n_features=layout.features, zero_based=False)
    except (ValueError, OverflowError, TypeError) as error:
        raise damaged(name, path, expected, f"other text ({error})") from error
    inputs = sparse.toarray()
    if not np.isfinite(inputs).all():
        raise damaged(name, path, "finite features", "others")
    known = np.array(layout.labels)
    wrong = labels[~np.isin(labels, known)]
    if wrong.size or not labels.size:
        found = f"the label {wrong[0]:g}" if wrong.size else "no example"
        raise damaged(name, path, f"the labels {', '.join(map(str, layout.labels))}", found)
    return Examples(inputs, np.searchsorted(known, labels).astype(np.int64))
