"""Every set loads as published, wherever it stands; whatever is missing or damaged is one clear sentence."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from true_format import BATCHES, idx_file, python2_batch, some, write_cifar10, write_mnist

from resodectl.datasets import load as loading
from resodectl.datasets import mnist10k
from resodectl.datasets.catalogue import SETS
from resodectl.datasets.dataset import DataError
from resodectl.datasets.load import FORMATS, digest, load, locate
from resodectl.engine.address import data_digest


def test_digits_are_those_of_scikit_learn_with_their_raw_values() -> None:
    digits, published = load("digits", None), load_digits()
    assert np.array_equal(digits.train.inputs[:, 0], published.images)
    assert np.array_equal(digits.train.labels, published.target)
    assert digits.train.inputs.dtype == np.float64
    assert digits.train.inputs.max() == digits.peak == 16
    assert len(digits.test) == 0


def test_embedded_sets_need_neither_scikit_learn_nor_torch_to_be_imported() -> None:
    code = (
        "import sys; from resodectl.datasets.load import digest, load;"
        "[(digest(name, None), load(name, None)) for name in ('digits', 'mnist-10k')];"
        "print([name for name in ('torch', 'sklearn', 'pandas', 'scipy', 'matplotlib') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("form", ["py", "bin"])
def test_cifar10_loads_in_both_of_its_public_forms(tmp_path: Path, form: str) -> None:
    batches = write_cifar10(tmp_path, form)
    cifar10 = load("cifar10", tmp_path)
    rows = np.concatenate([batches[batch][0] for batch in BATCHES[:5]])
    assert cifar10.train.inputs.dtype == np.uint8
    assert np.array_equal(cifar10.train.inputs, rows.reshape(-1, 3, 32, 32))
    assert cifar10.train.labels.tolist() == [label for batch in BATCHES[:5] for label in batches[batch][1]]
    assert cifar10.train.labels.dtype == np.int64
    assert np.array_equal(cifar10.test.inputs, batches["test_batch"][0].reshape(-1, 3, 32, 32))
    assert cifar10.test.inputs.flags.writeable
    assert cifar10.test.inputs.flags.c_contiguous


def test_the_first_1024_bytes_of_a_cifar10_record_are_its_red_channel_row_by_row(tmp_path: Path) -> None:
    rows = write_cifar10(tmp_path, "py")["data_batch_1"][0]
    image = load("cifar10", tmp_path).train.inputs[0]
    assert np.array_equal(image[0].ravel(), rows[0, :1024])
    assert np.array_equal(image[2, 1], rows[0, 2048 + 32 : 2048 + 64])


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("mnist", "mnist"),
        ("mnist", "MNIST/raw"),
        ("fashion-mnist", "fashion-mnist"),
        ("fashion-mnist", "FashionMNIST/raw"),
    ],
)
def test_mnist_and_its_kin_load_from_idx_files_plain_or_compressed(
    tmp_path: Path, name: str, folder: str, compressed: bool
) -> None:
    parts = write_mnist(tmp_path / folder, compressed)
    loaded = load(name, tmp_path)
    assert np.array_equal(loaded.train.inputs, parts["train"][0][:, None])
    assert loaded.test.labels.tolist() == parts["t10k"][1]
    assert loaded.peak == 255
    assert loaded.test.inputs.flags.writeable


def test_a_split_deals_out_every_example_once_and_by_the_generator_alone() -> None:
    train = load("digits", None).train
    first, second = train.split(1297, np.random.default_rng(3))
    again, _ = train.split(1297, np.random.default_rng(3))
    assert (len(first), len(second)) == (1297, 500)
    assert np.array_equal(first.inputs, again.inputs)
    both = np.concatenate([first.inputs, second.inputs]).reshape(len(train), -1)
    assert np.array_equal(np.unique(both, axis=0), np.unique(train.inputs.reshape(len(train), -1), axis=0))
    with pytest.raises(ValueError, match="1797 examples cannot be split into 1797"):
        train.split(1797, np.random.default_rng(3))


def test_the_digest_follows_the_bytes_and_not_the_place(tmp_path: Path) -> None:
    for place in ("here", "there"):
        write_cifar10(tmp_path / place, "bin")
    assert digest("cifar10", tmp_path / "here") == digest("cifar10", tmp_path / "there")
    changed = tmp_path / "there/cifar-10-batches-bin/data_batch_3.bin"
    changed.write_bytes(changed.read_bytes()[:-1] + b"\x00")
    assert digest("cifar10", tmp_path / "here") != digest("cifar10", tmp_path / "there")


def test_every_known_set_has_its_facts() -> None:
    assert SETS.keys() == FORMATS.keys()
    digits = load("digits", None)
    assert tuple(np.bincount(digits.train.labels)) == SETS["digits"].train
    assert digits.train.inputs.shape[1:] == SETS["digits"].shape


# Missing and damaged sets.


@pytest.mark.parametrize("name", ["cifar10", "mnist", "fashion-mnist"])
def test_a_missing_set_says_where_it_was_looked_for_how_to_fetch_it_and_how_to_do_without(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(DataError) as missing:
        load(name, tmp_path)
    message = str(missing.value)
    assert f"the data set '{name}' is not in {tmp_path}" in message
    assert f"`resodectl data fetch {name} --data-root {tmp_path}`" in message
    assert "--profile laptop" in message
    assert "\n" not in message
    with pytest.raises(DataError, match="neither --data-root nor RESODECTL_DATA names one"):
        digest(name, None)


def test_an_unknown_set_names_the_nearest_one() -> None:
    with pytest.raises(DataError, match="there is no data set 'cifar-10'; did you mean 'cifar10'"):
        load("cifar-10", None)


def test_a_missing_batch_is_named(tmp_path: Path) -> None:
    write_cifar10(tmp_path, "py")
    (tmp_path / "cifar-10-batches-py/data_batch_4").unlink()
    with pytest.raises(DataError, match=r"there is no .*cifar-10-batches-py/data_batch_4\)"):
        locate("cifar10", tmp_path)


ROWS, LABELS = some((3, 3072))
DAMAGED_BATCHES = {
    "records of 3073 bytes, found 9218 bytes": ("bin", lambda data: data[:-1]),
    "records of 3073 bytes, found 0 bytes": ("bin", lambda data: b""),
    "labels 0 to 9, found the label 77": ("bin", lambda data: b"\x4d" + data[1:]),
    "rows of 3072 bytes, and 'labels', found a damaged pickle": ("py", lambda data: data[:5000]),
    "found 'data' of shape (3, 3071)": ("py", lambda data: python2_batch(ROWS[:, 1:], LABELS)),
    "one label for each of 3 images, found 2 labels": ("py", lambda data: python2_batch(ROWS, LABELS[:2])),
    "labels 0 to 9, found the label -1": ("py", lambda data: python2_batch(ROWS, [0, -1, 3])),
    "found a damaged pickle": ("py", lambda data: b"\xff\xd8 no pickle"),
}


@pytest.mark.parametrize("says", DAMAGED_BATCHES)
def test_a_damaged_cifar10_file_says_what_was_expected_and_what_was_found(tmp_path: Path, says: str) -> None:
    form, damage = DAMAGED_BATCHES[says]
    write_cifar10(tmp_path, form)
    path = next((tmp_path / f"cifar-10-batches-{form}").glob("data_batch_2*"))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError) as damaged:
        load("cifar10", tmp_path)
    assert says in str(damaged.value)
    assert str(damaged.value).startswith(f"{path}: ")
    assert "\n" not in str(damaged.value)


DAMAGED_IDX = {
    "3936 bytes for 5 entries, found 3935 bytes": ("train-images-idx3-ubyte", lambda data: data[:-1]),
    "an idx file that begins with 00000803, found 00000801": (
        "train-images-idx3-ubyte", lambda data: b"\0\0\x08\x01" + data[4:],
    ),
    "an idx file that begins with 00000801, found an empty file": ("t10k-labels-idx1-ubyte", lambda data: b""),
    "one label for each of 5 images, found 4 labels": (
        "train-labels-idx1-ubyte", lambda data: idx_file(np.zeros(4, np.uint8)),
    ),
    "labels 0 to 9, found the label 10": ("train-labels-idx1-ubyte", lambda data: idx_file(np.full(5, 10, np.uint8))),
    "images of 28 x 28, found images of 27 x 28": (
        "t10k-images-idx3-ubyte", lambda data: idx_file(np.zeros((5, 27, 28), np.uint8)),
    ),
    "79228162458924105385300197391 bytes for 4294967295 entries": (
        "train-images-idx3-ubyte", lambda data: data[:4] + b"\xff" * 12 + data[16:],
    ),
}  # fmt: skip


@pytest.mark.parametrize("says", DAMAGED_IDX)
def test_a_damaged_idx_file_says_what_was_expected_and_what_was_found(tmp_path: Path, says: str) -> None:
    write_mnist(tmp_path / "mnist", compressed=False)
    file, damage = DAMAGED_IDX[says]
    path = tmp_path / "mnist" / file
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError) as damaged:
        load("mnist", tmp_path)
    assert says in str(damaged.value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-12],
        lambda data: data[:8],
        lambda data: b"no gzip",
        lambda data: data[:60] + b"\xff" * 30 + data[90:],
    ],
)
def test_a_damaged_gzip_file_is_refused(tmp_path: Path, damage: object) -> None:
    write_mnist(tmp_path / "mnist", compressed=True)
    path = tmp_path / "mnist/t10k-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(DataError, match="expected a whole gzip file"):
        load("mnist", tmp_path)


def test_a_folder_in_place_of_a_file_is_a_missing_file(tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist", compressed=False)
    path = tmp_path / "mnist/t10k-images-idx3-ubyte"
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match=f"there is no {path}"):
        digest("mnist", tmp_path)


# The images of MNIST inside the package.


def test_the_first_10000_images_of_mnist_are_there_8000_to_train_on_and_2000_to_test_with() -> None:
    loaded, facts = load("mnist-10k", None), SETS["mnist-10k"]
    for part, counts, size in ((loaded.train, facts.train, 8_000), (loaded.test, facts.test, 2_000)):
        assert part.inputs.shape == (size, 1, 28, 28)
        assert part.inputs.dtype == np.uint8
        assert part.inputs.flags.c_contiguous
        assert (part.labels.shape, part.labels.dtype) == ((size,), np.int64)
        assert tuple(np.bincount(part.labels)) == counts
    both = np.concatenate([loaded.train.labels, loaded.test.labels])
    assert np.bincount(both).tolist() == [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]
    assert (loaded.classes, loaded.peak) == (10, 255)


def test_their_order_is_no_order_of_classes_and_no_image_is_there_twice() -> None:
    loaded = load("mnist-10k", None)
    images = np.concatenate([loaded.train.inputs, loaded.test.inputs]).reshape(10_000, -1)
    assert len(np.unique(images, axis=0)) == 10_000
    assert loaded.train.labels[:10].tolist() == [3, 8, 1, 0, 4, 0, 9, 3, 4, 9]
    assert images.mean() / 255 == pytest.approx(0.1307, abs=1e-3)  # as is all of MNIST


def test_the_files_inside_the_package_are_those_of_the_catalogue() -> None:
    files = {path.name: f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in locate("mnist-10k", None)}
    assert files == SETS["mnist-10k"].checksums


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"no gzip")])
def test_an_installation_without_its_images_says_to_reinstall_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], object]
) -> None:
    for path in locate("mnist-10k", None):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(mnist10k, "__file__", str(tmp_path / "mnist10k.py"))
    damage(tmp_path / mnist10k.FILES[1])
    with pytest.raises(DataError, match="'mnist-10k' is shipped inside resodectl, and the installed one has") as told:
        load("mnist-10k", None)
    assert mnist10k.FILES[1] in str(told.value)
    assert str(told.value).endswith("reinstall it with `pip install --force-reinstall resodectl`")


def test_the_addresses_of_many_cells_read_the_images_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    monkeypatch.setattr(loading, "read_bytes", lambda name, path: read.append(path) or path.read_bytes())
    data_digest.cache_clear()
    assert len({data_digest("mnist-10k", None) for _ in range(100)}) == 1
    assert read == locate("mnist-10k", None)
