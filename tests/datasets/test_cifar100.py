"""CIFAR-100 loads in both of its public forms, with its fine labels, and without running what a pickle asks for."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from true_format import python2_batch, some, write_cifar100

from resodectl.datasets.dataset import DataError
from resodectl.datasets.load import load


@pytest.mark.parametrize("form", ["python", "binary"])
def test_it_loads_with_its_hundred_fine_labels(tmp_path: Path, form: str) -> None:
    batches = write_cifar100(tmp_path, form)
    loaded = load("cifar100", tmp_path)
    for part, (rows, labels) in zip((loaded.train, loaded.test), batches.values(), strict=True):
        assert np.array_equal(part.inputs, rows.reshape(-1, 3, 32, 32))
        assert part.labels.tolist() == labels
        assert part.inputs.flags.writeable
    assert max(batches["train"][1]) > 10
    assert (loaded.classes, loaded.peak) == (100, 255)


ROWS, FINE = some((3, 3072), classes=100)
DAMAGED = {
    "rows of 3072 bytes, and 'fine_labels', found a damaged pickle": ("python", lambda data: data[:5000]),
    "found no list of integers 'fine_labels'": ("python", lambda data: python2_batch(ROWS, [1, 2, 3])),
    "labels 0 to 99, found the label 100": (
        "python",
        lambda data: python2_batch(ROWS, [], coarse_labels=[0, 0, 0], fine_labels=[1, 100, 3]),
    ),
    "labels 0 to 99, found a label of more than 64 bits": (
        "python",
        lambda data: pickle.dumps({"data": ROWS, "fine_labels": [1, 10**30, 3]}, protocol=2),
    ),
    "records of 3074 bytes, found 9221 bytes": ("binary", lambda data: data[:-1]),
    "labels 0 to 99, found the label 200": ("binary", lambda data: data[:1] + b"\xc8" + data[2:]),
}


@pytest.mark.parametrize("says", DAMAGED)
def test_a_damaged_file_says_what_was_expected_and_what_was_found(tmp_path: Path, says: str) -> None:
    form, damage = DAMAGED[says]
    write_cifar100(tmp_path, form)
    path = next((tmp_path / f"cifar-100-{form}").glob("train*"))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError) as damaged:
        load("cifar100", tmp_path)
    assert says in str(damaged.value)
    assert str(damaged.value).startswith(f"{path}: ")


class _Runs:
    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.made),)


@pytest.mark.parametrize("place", ["data", "fine_labels", "meta"])
def test_a_malicious_pickle_is_refused_by_name_and_nothing_is_run(tmp_path: Path, place: str) -> None:
    write_cifar100(tmp_path, "python")
    path, made = tmp_path / "cifar-100-python/train", tmp_path / "made"
    path.write_bytes(pickle.dumps({"data": ROWS, "fine_labels": FINE} | {place: _Runs(made)}))
    with pytest.raises(DataError, match=r"found the name \w+\.mkdir"):
        load("cifar100", tmp_path)
    assert not made.exists()


def test_of_two_forms_the_one_that_is_whole_is_read(tmp_path: Path) -> None:
    write_cifar100(tmp_path, "binary")
    (tmp_path / "cifar-100-python").mkdir()
    assert len(load("cifar100", tmp_path).train) == 3
