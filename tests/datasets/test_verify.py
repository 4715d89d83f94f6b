"""Verifying compares checksums, shapes and the numbers of examples with what is published, and names what differs."""

import dataclasses
import gzip
import hashlib
from pathlib import Path

import pytest
from true_format import idx_file, some, write_libsvm, write_mnist

from resodectl.datasets import catalogue
from resodectl.datasets.dataset import DamagedError, DataError
from resodectl.datasets.verify import verify


def published(monkeypatch: pytest.MonkeyPatch, name: str, **facts: object) -> None:
    """Let other facts be published of a set."""
    monkeypatch.setitem(catalogue.SETS, name, dataclasses.replace(catalogue.SETS[name], **facts))  # type: ignore[arg-type]


def small_mnist(monkeypatch: pytest.MonkeyPatch, folder: Path, compressed: bool) -> None:
    """MNIST of ten images, whose plain files have published checksums."""
    parts = write_mnist(folder, compressed)
    sums = {}
    for part, (images, _) in parts.items():
        sums[f"{part}-images-idx3-ubyte"] = f"sha256:{hashlib.sha256(idx_file(images)).hexdigest()}"
    counts = {part: tuple(labels.count(number) for number in range(10)) for part, (_, labels) in parts.items()}
    published(monkeypatch, "mnist", train=counts["train"], test=counts["t10k"], checksums=sums)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_whole_set_is_verified_plain_or_compressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compressed: bool
) -> None:
    small_mnist(monkeypatch, tmp_path / "mnist", compressed)
    verified = verify("mnist", tmp_path)
    assert (verified.with_checksum, len(verified.files), verified.train, verified.test) == (2, 4, 5, 5)


def test_embedded_sets_are_the_published_ones() -> None:
    assert verify("digits", None).train == 1797
    assert verify("mnist-10k", None).with_checksum == 2


@pytest.mark.parametrize("compressed", [False, True])
def test_other_pixels_of_the_same_form_have_another_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compressed: bool
) -> None:
    small_mnist(monkeypatch, tmp_path / "mnist", compressed)
    file = "t10k-images-idx3-ubyte"
    path = tmp_path / "mnist" / (f"{file}.gz" if compressed else file)
    other = idx_file(some((5, 28, 28), 7)[0])
    path.write_bytes(gzip.compress(other) if compressed else other)
    with pytest.raises(DamagedError, match=rf"{path}: .* expected {file} with the published sha256 \w+, found \w+"):
        verify("mnist", tmp_path)


def test_a_file_cut_off_between_two_lines_has_too_few_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_libsvm(tmp_path, compressed=False)
    published(monkeypatch, "ijcnn1", train=(3,), test=(3,))
    assert verify("ijcnn1", tmp_path).with_checksum == 0
    path = tmp_path / "ijcnn1/ijcnn1.t"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    with pytest.raises(DamagedError, match="expected 3 test examples, found 2"):
        verify("ijcnn1", tmp_path)


def test_other_numbers_of_examples_in_a_class_are_not_the_published_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_libsvm(tmp_path, compressed=False)
    published(monkeypatch, "covtype", train=(0, 0, 0, 0, 1, 1, 0))
    with pytest.raises(
        DamagedError, match="expected 0, 0, 0, 0, 1, 1, 0 training examples of the classes, found 0, 0,"
    ):
        verify("covtype", tmp_path)


def test_other_shapes_are_not_the_published_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_libsvm(tmp_path, compressed=False)
    published(monkeypatch, "ijcnn1", shape=(23,), train=(3,), test=(3,))
    with pytest.raises(DamagedError, match=r"expected training examples of shape \(23,\), found \(22,\)"):
        verify("ijcnn1", tmp_path)


def test_a_set_that_is_not_here_or_has_no_such_name_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the data set 'svhn' is not in"):
        verify("svhn", tmp_path)
    with pytest.raises(DataError, match="did you mean 'cifar100'"):
        verify("cifar1000", tmp_path)


# At the shell.


def test_verify_prints_a_line_a_set_and_exits_with_2_when_one_is_not_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell
) -> None:
    small_mnist(monkeypatch, tmp_path / "mnist", compressed=False)
    write_libsvm(tmp_path, compressed=False)
    told = shell("data", "verify", "--data-root", str(tmp_path))
    assert told.code == 2
    assert "mnist: 5 training and 5 test examples as published; 2 of 4 files have published checksums" in told.out
    assert "ijcnn1: is not the published data set 'ijcnn1': expected 49990 training examples, found 3" in told.err
    assert shell("data", "verify", "mnist", "digits", "--data-root", str(tmp_path)).code == 0
    assert shell("data", "verify", "svhn", "--data-root", str(tmp_path)).code == 2


@pytest.mark.parametrize("width", [60, 80, 120])
def test_list_fits_the_terminal_and_cuts_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell, width: int
) -> None:
    write_libsvm(tmp_path, compressed=False)
    monkeypatch.setenv("COLUMNS", str(width))
    told = shell("data", "list", "--data-root", str(tmp_path))
    lines = told.out.splitlines()
    assert not [line for line in lines if len(line) > width and "/" not in line]
    assert [line.partition(":")[0] for line in lines if not line.startswith(" ")] == list(catalogue.SETS)
    assert f"  here: {tmp_path}/ijcnn1" in told.out.replace("\n    ", " ")


@pytest.mark.parametrize("command", ["list", "verify"])
@pytest.mark.parametrize("root", ["absent", "file"])
def test_a_root_that_is_no_folder_is_refused(shell, tmp_path: Path, command: str, root: str) -> None:
    (tmp_path / "file").write_text("x")
    told = shell("data", command, "--data-root", root)
    assert (told.code, told.out) == (2, "")
    assert f"{root}: is no folder" in told.err
