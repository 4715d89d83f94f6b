"""Sets of features load from the text of LIBSVM, plain or compressed; other text is one clear sentence."""

import bz2
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from true_format import COVTYPE, IJCNN1, write_libsvm

from resodectl.datasets.dataset import DataError
from resodectl.datasets.load import load
from resodectl.numerics.draws import TensorPlace
from resodectl.training.images import train_and_test_images
from resodectl.training.scalings import unscaled


@pytest.mark.parametrize("compressed", [False, True])
def test_ijcnn1_has_22_features_and_two_classes(tmp_path: Path, compressed: bool) -> None:
    write_libsvm(tmp_path, compressed)
    loaded = load("ijcnn1", tmp_path)
    assert loaded.train.inputs.shape == loaded.test.inputs.shape == (3, 22)
    assert loaded.train.inputs.dtype == np.float64
    assert loaded.train.inputs[0, [5, 10, 12, 21]].tolist() == [1, -0.73152, 0, -0.01]
    assert np.count_nonzero(loaded.train.inputs[1]) == 3
    assert loaded.train.labels.tolist() == [0, 1, 0]  # published as -1 and 1
    assert (loaded.train.labels.dtype, loaded.classes, loaded.peak) == (np.int64, 2, None)


@pytest.mark.parametrize("compressed", [False, True])
def test_covtype_has_54_features_seven_classes_and_no_split(tmp_path: Path, compressed: bool) -> None:
    write_libsvm(tmp_path, compressed)
    loaded = load("covtype", tmp_path)
    assert loaded.train.inputs.shape == (2, 54)
    assert loaded.train.inputs[0, :3].tolist() == [2596, 51, 3]
    assert loaded.train.labels.tolist() == [4, 6]  # published as 5 and 7
    assert (loaded.classes, len(loaded.test)) == (7, 0)


def test_features_are_no_images(tmp_path: Path) -> None:
    write_libsvm(tmp_path, compressed=False)
    with pytest.raises(DataError, match="the data set 'ijcnn1' has no images"):
        train_and_test_images("ijcnn1", tmp_path, TensorPlace(), unscaled)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write_libsvm(tmp_path, compressed=True)
    (tmp_path / "ijcnn1/ijcnn1.t.bz2").unlink()
    with pytest.raises(DataError, match=r"there is no .*ijcnn1/ijcnn1.t\); fetch it with `resodectl data fetch ijcnn1"):
        load("ijcnn1", tmp_path)


DAMAGED: dict[str, Callable[[str], str]] = {
    "found an empty file": lambda text: "",
    "found a last line without its end": lambda text: text[:-4],
    "the labels -1, 1, found the label 5": lambda text: COVTYPE.partition(" 43")[0].replace("11:1", "") + "\n",
    "the labels -1, 1, found the label 0.5": lambda text: text.replace("1 1:1", "0.5 1:1"),
    "the labels -1, 1, found no example": lambda text: "# nothing\n",
    "found other text (": lambda text: "<!DOCTYPE html>\n",
    "lines of a label and up to 22 features, index:value, found other text (": lambda text: text.replace("22:", "23:"),
    "finite features, found others": lambda text: text.replace("0.2535", "nan"),
}


@pytest.mark.parametrize("says", DAMAGED)
def test_other_text_says_what_was_expected_and_what_was_found(tmp_path: Path, says: str) -> None:
    write_libsvm(tmp_path, compressed=False)
    path = tmp_path / "ijcnn1/ijcnn1.t"
    path.write_text(DAMAGED[says](IJCNN1))
    with pytest.raises(DataError) as told:
        load("ijcnn1", tmp_path)
    assert says in str(told.value)
    assert str(told.value).startswith(f"{path}: ")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("data", [b"", b"BZh9", b"no bzip2", bz2.compress(IJCNN1.encode())[:-3]])
def test_a_compressed_file_that_breaks_off_is_refused(tmp_path: Path, data: bytes) -> None:
    write_libsvm(tmp_path, compressed=True)
    (tmp_path / "ijcnn1/ijcnn1.bz2").write_bytes(data)
    with pytest.raises(DataError, match=r"expected a whole bzip2 file|found an empty file"):
        load("ijcnn1", tmp_path)
