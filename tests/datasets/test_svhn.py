"""SVHN loads from its MATLAB files; what is missing, cut off or another file is one clear sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat
from true_format import write_svhn

from resodectl.datasets.dataset import DataError
from resodectl.datasets.load import load


@pytest.mark.parametrize("folder", ["svhn", "SVHN"])
def test_images_load_channel_by_channel_and_the_label_10_is_the_digit_0(tmp_path: Path, folder: str) -> None:
    parts = write_svhn(tmp_path / folder)
    loaded = load("svhn", tmp_path)
    for part, (images, labels) in zip((loaded.train, loaded.test), parts.values(), strict=True):
        assert part.inputs.shape == (5, 3, 32, 32)
        assert part.inputs.dtype == np.uint8
        assert np.array_equal(part.inputs[4, 2], images[:, :, 2, 4])
        assert part.inputs.flags.c_contiguous
        assert part.inputs.flags.writeable
        assert 10 in labels
        assert part.labels.tolist() == [label % 10 for label in labels]
        assert part.labels.dtype == np.int64


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write_svhn(tmp_path / "svhn")
    (tmp_path / "svhn/test_32x32.mat").unlink()
    with pytest.raises(
        DataError, match=r"there is no .*svhn/test_32x32.mat\); fetch it with `resodectl data fetch svhn"
    ):
        load("svhn", tmp_path)


IMAGES, LABELS = np.zeros((32, 32, 3, 2), np.uint8), np.ones((2, 1), np.uint8)
OTHERS: dict[str, dict[str, Any]] = {
    "bytes 'X' of shape (32, 32, 3, samples), found uint8 'X' of shape (28, 28, 3, 2)": {
        "X": IMAGES[:28, :28],
        "y": LABELS,
    },
    "bytes 'X' of shape (32, 32, 3, samples), found float64 'X'": {"X": IMAGES / 255, "y": LABELS},
    "found no 'X'": {"digitStruct": LABELS},
    "one integer 'y' for each of 2 images, found uint8 'y' of shape (1, 1)": {"X": IMAGES, "y": LABELS[:1]},
    "one integer 'y' for each of 2 images, found no 'y'": {"X": IMAGES},
    "labels 1 to 10, found the label 0": {"X": IMAGES, "y": 0 * LABELS},
    "labels 1 to 10, found the label 11": {"X": IMAGES, "y": 11 * LABELS},
}


@pytest.mark.parametrize("says", OTHERS)
def test_another_matlab_file_says_what_was_expected_and_what_was_found(tmp_path: Path, says: str) -> None:
    write_svhn(tmp_path / "svhn")
    savemat(tmp_path / "svhn/train_32x32.mat", OTHERS[says], do_compression=True)
    with pytest.raises(DataError) as told:
        load("svhn", tmp_path)
    assert says in str(told.value)


@pytest.mark.parametrize("kept", [0, 1, 100, 127, 128, 200, 5000, -1])
def test_a_file_that_breaks_off_is_refused(tmp_path: Path, kept: int) -> None:
    write_svhn(tmp_path / "svhn")
    path = tmp_path / "svhn/train_32x32.mat"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match="is no file of the data set 'svhn'") as told:
        load("svhn", tmp_path)
    assert "\n" not in str(told.value)


def test_a_page_of_html_is_refused(tmp_path: Path) -> None:
    write_svhn(tmp_path / "svhn")
    (tmp_path / "svhn/train_32x32.mat").write_bytes(b"<!DOCTYPE html>" + b"<p>moved</p>" * 100)
    with pytest.raises(DataError, match="expected a MATLAB file with the images 'X' and the labels 'y', found"):
        load("svhn", tmp_path)
