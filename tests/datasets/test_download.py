"""Files fetched from their publishers: a server of this machine stands in for them. All is checked, then moved."""

import bz2
import dataclasses
import functools
import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import sklearn.datasets
from true_format import IJCNN1, write_cifar100, write_libsvm, write_svhn

from resodectl.datasets import catalogue
from resodectl.datasets.dataset import DataError
from resodectl.datasets.fetch import fetch
from resodectl.datasets.load import load


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder; of a file `NAME.short` it sends half and says that it is whole."""

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        short = Path(self.translate_path(f"{self.path}.short"))
        if short.exists():
            data = short.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
        else:
            super().do_GET()


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """The folder that is served, and its address."""
    folder = tmp_path / "publisher"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def published(monkeypatch: pytest.MonkeyPatch, name: str, **facts: object) -> None:
    """Let a set have other facts, such as where it is."""
    monkeypatch.setitem(catalogue.SETS, name, dataclasses.replace(catalogue.SETS[name], **facts))  # type: ignore[arg-type]


def md5(data: bytes) -> str:
    return f"md5:{hashlib.md5(data).hexdigest()}"


def counts(labels: list[int], classes: int) -> tuple[int, ...]:
    return tuple(np.bincount(labels, minlength=classes).tolist())


def left(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def serve_svhn(monkeypatch: pytest.MonkeyPatch, publisher: tuple[Path, str]) -> list[Path]:
    folder, address = publisher
    parts = write_svhn(folder / "svhn")
    files = [folder / f"svhn/{part}_32x32.mat" for part in ("train", "test")]
    sizes = {part: counts([label % 10 for label in labels], 10) for part, (_, labels) in parts.items()}
    sums = {path.name: md5(path.read_bytes()) for path in files}
    published(monkeypatch, "svhn", urls=tuple(f"{address}/svhn/{path.name}" for path in files), checksums=sums, **sizes)
    return files


def test_svhn_is_fetched_as_it_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, publisher) -> None:
    files = serve_svhn(monkeypatch, publisher)
    fetched = fetch("svhn", tmp_path / "data")
    assert [path.read_bytes() for path in fetched] == [path.read_bytes() for path in files]
    assert left(tmp_path / "data") == sorted(fetched)
    assert len(load("svhn", tmp_path / "data").train) == 5


def test_a_file_with_another_checksum_is_refused_and_what_was_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, publisher
) -> None:
    files = serve_svhn(monkeypatch, publisher)
    old = fetch("svhn", tmp_path / "data")[0].read_bytes()
    files[0].write_bytes(b"another file")
    with pytest.raises(
        DataError, match=r"expected train_32x32.mat with the published md5 .* nothing was written"
    ) as told:
        fetch("svhn", tmp_path / "data")
    assert "\n" not in str(told.value)
    assert (tmp_path / "data/svhn/train_32x32.mat").read_bytes() == old
    assert len(left(tmp_path / "data")) == 2


def test_a_download_that_breaks_off_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, publisher) -> None:
    path = serve_svhn(monkeypatch, publisher)[1]
    path.rename(f"{path}.short")
    with pytest.raises(
        DataError, match=r"could not be fetched from http.*: test_32x32.mat broke off after \d+ of \d+ byt"
    ):
        fetch("svhn", tmp_path / "data")
    assert not left(tmp_path / "data")


def test_a_publisher_without_the_file_or_without_an_answer_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, publisher
) -> None:
    serve_svhn(monkeypatch, publisher)[0].unlink()
    with pytest.raises(
        DataError, match=r"could not be fetched from http.*/svhn: File not found; try again, or put it in"
    ):
        fetch("svhn", tmp_path / "data")
    published(monkeypatch, "svhn", urls=("http://127.0.0.1:1/train_32x32.mat",))
    with pytest.raises(DataError, match="Connection refused"):
        fetch("svhn", tmp_path / "data")
    assert not left(tmp_path / "data")


def test_ijcnn1_has_no_published_checksum_and_is_checked_by_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, publisher
) -> None:
    folder, address = publisher
    write_libsvm(folder, compressed=True)
    assert catalogue.SETS["ijcnn1"].checksums == {}
    urls = tuple(f"{address}/ijcnn1/{file}" for file in ("ijcnn1.bz2", "ijcnn1.t.bz2"))
    published(monkeypatch, "ijcnn1", urls=urls, train=(3,), test=(3,))
    assert [path.name for path in fetch("ijcnn1", tmp_path / "data")] == ["ijcnn1.bz2", "ijcnn1.t.bz2"]
    (folder / "ijcnn1/ijcnn1.bz2").write_text(IJCNN1)
    with pytest.raises(DataError, match=r"expected a whole bzip2 file, found .*; nothing was written"):
        fetch("ijcnn1", tmp_path / "data")
    (folder / "ijcnn1/ijcnn1.bz2").write_bytes(bz2.compress(IJCNN1.partition("\n")[2].encode()))
    with pytest.raises(DataError, match="'ijcnn1': expected 3 training examples, found 2; nothing was written"):
        fetch("ijcnn1", tmp_path / "data")
    assert len(load("ijcnn1", tmp_path / "data").train) == 3


def packed(folder: Path, names: dict[str, Path]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name, path in names.items():
            archive.add(path, name)
    return data.getvalue()


def serve_cifar100(monkeypatch: pytest.MonkeyPatch, publisher: tuple[Path, str], more: dict[str, Path]) -> None:
    folder, address = publisher
    batches = write_cifar100(folder, "python")
    inside = {f"cifar-100-python/{batch}": folder / f"cifar-100-python/{batch}" for batch in batches}
    data = packed(folder, inside | more)
    (folder / "cifar-100-python.tar.gz").write_bytes(data)
    sums = {Path(name).name: md5(path.read_bytes()) for name, path in inside.items()}
    published(
        monkeypatch,
        "cifar100",
        urls=(f"{address}/cifar-100-python.tar.gz",),
        checksums={"cifar-100-python.tar.gz": md5(data)} | sums,
        **{batch: counts(labels, 100) for batch, (_, labels) in batches.items()},
    )


def test_the_archive_of_cifar100_is_unpacked_and_nothing_else_of_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, publisher
) -> None:
    (publisher[0] / "evil").write_text("evil")
    serve_cifar100(monkeypatch, publisher, {"../evil": publisher[0] / "evil", "/tmp/evil": publisher[0] / "evil"})
    fetched = fetch("cifar100", tmp_path / "data")
    assert [str(path.relative_to(tmp_path)) for path in fetched] == [
        "data/cifar-100-python/train",
        "data/cifar-100-python/test",
    ]
    assert left(tmp_path / "data") == sorted(fetched)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "spoil", [lambda data: data[: len(data) // 2], lambda data: b"no archive", lambda data: packed(Path(), {})]
)
def test_an_archive_that_lacks_a_batch_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, publisher, spoil
) -> None:
    serve_cifar100(monkeypatch, publisher, {})
    path = publisher[0] / "cifar-100-python.tar.gz"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match=r"cifar-100-python.tar.gz with the published md5"):
        fetch("cifar100", tmp_path / "data")
    published(monkeypatch, "cifar100", checksums={})
    with pytest.raises(DataError, match="expected an archive of train, test, found"):
        fetch("cifar100", tmp_path / "data")
    assert not left(tmp_path / "data")


def test_covtype_is_fetched_through_scikit_learn_and_written_as_the_text_of_libsvm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.random.default_rng(0).integers(0, 7000, (9, 54)).astype(float)
    rows[:, 20:] = rows[:, 20:] > 6000
    labels = np.array([5, 1, 2, 3, 4, 5, 6, 7, 1], np.int32)
    asked = []

    def fetch_covtype(data_home: str) -> SimpleNamespace:
        asked.append(data_home)
        return SimpleNamespace(data=rows, target=labels)

    monkeypatch.setattr(sklearn.datasets, "fetch_covtype", fetch_covtype)
    published(monkeypatch, "covtype", train=counts((labels - 1).tolist(), 7))
    fetched = fetch("covtype", tmp_path / "data")
    loaded = load("covtype", tmp_path / "data")
    assert left(tmp_path / "data") == fetched == [tmp_path / "data/covtype/covtype"]
    assert np.array_equal(loaded.train.inputs, rows)
    assert loaded.train.labels.tolist() == (labels - 1).tolist()
    assert not Path(asked[0]).exists()
    published(monkeypatch, "covtype", train=(9, 0, 0, 0, 0, 0, 0))
    with pytest.raises(DataError, match="expected 9, 0, 0, 0, 0, 0, 0 training examples of the classes"):
        fetch("covtype", tmp_path / "data")
