"""The store keeps cells whole, finds them by name, and sets aside what is damaged."""

import hashlib
import io
import json
import os
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from resodectl.engine.address import address
from resodectl.engine.store import Entry, Store, metadata

IDENTITY = {"experiment": "toy/walk", "seeds": [0]}
ADDRESS = address(IDENTITY)


def cell(identity: object = IDENTITY) -> bytes:
    """The bytes of a cell with one row."""
    about = json.dumps({"identity": identity, "parts": {}})
    buffer = io.BytesIO()
    pq.write_table(pa.table({"x": [1.0]}).replace_schema_metadata({"resodectl": about}), buffer)
    return buffer.getvalue()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_what_is_put_is_found_and_read_back(store: Store) -> None:
    entry = store.put(ADDRESS, cell())
    assert store.find([ADDRESS, "cd" + "0" * 62]) == {ADDRESS: entry}
    assert store.get(entry) == cell()
    assert metadata(entry.path) == {"identity": IDENTITY, "parts": {}}
    assert list(store) == [entry]


@pytest.mark.parametrize("damage", [b"", cell()[:-1], cell()[:-1] + b"2", cell() + b" and more"])
def test_damaged_files_are_set_aside_with_a_warning(
    store: Store, damage: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = store.put(ADDRESS, cell())
    entry.path.write_bytes(damage)
    assert store.get(entry) is None
    assert "is damaged" in capsys.readouterr().err
    assert store.find([ADDRESS]) == {}
    assert (store.folder / "damaged" / entry.path.name).read_bytes() == damage


@pytest.mark.parametrize("foreign", [b"rows", cell({"experiment": "toy/run"}), cell("toy/walk")])
def test_a_whole_file_of_something_else_under_a_cells_name_is_set_aside(
    store: Store, foreign: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = store.put(ADDRESS, foreign)
    assert entry.sha256 == hashlib.sha256(foreign).hexdigest()
    assert store.get(entry) is None
    assert "is damaged" in capsys.readouterr().err
    assert list(store) == []


def test_a_damaged_file_that_another_reader_has_set_aside_is_no_error(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    store.set_aside(Entry(store.folder / "ab" / f"{ADDRESS}.{'0' * 64}.parquet"))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more PAR1", cell("toy/walk")])
def test_a_file_that_is_no_cell_says_nothing_of_itself(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    assert metadata(tmp_path / "file") == {}


def test_foreign_files_are_no_cells(store: Store) -> None:
    (store.folder / "ab").mkdir(parents=True)
    for name in ("notes.txt", f"{ADDRESS}.parquet", f".{ADDRESS}.123.tmp", "my.own.parquet", f"{ADDRESS}.12.parquet"):
        (store.folder / "ab" / name).write_bytes(b"x")
    (store.folder / "cd").write_bytes(b"not even a folder")
    assert list(store) == []


def test_many_writers_of_one_cell_leave_one_whole_file(store: Store) -> None:
    data = cell()
    threads = [threading.Thread(target=store.put, args=(ADDRESS, data)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (entry,) = store
    assert store.get(entry) == data


def test_gc_spares_what_is_needed_or_younger_than_a_day(store: Store) -> None:
    old, needed, young = (store.put(f"{n}{n}" + "0" * 62, bytes([n])) for n in range(3))
    leftover = store.folder / "00" / ".half.1.tmp"
    leftover.write_bytes(b"half a cell")
    two_days_ago = time.time() - 2 * 86_400
    for path in (old.path, needed.path, leftover):
        os.utime(path, (two_days_ago, two_days_ago))
    assert store.gc({needed.address}, dry_run=True) == [old]
    assert old.path.exists()
    assert store.gc({needed.address}) == [old]
    assert {entry.address for entry in store} == {needed.address, young.address}
    assert not leftover.exists()


def test_computing_again_keeps_the_newest_file(store: Store) -> None:
    first, second = store.put(ADDRESS, b"first"), store.put(ADDRESS, b"second")
    os.utime(first.path, (1, 1))
    store.keep_newest(ADDRESS)
    assert list(store) == [second]


def test_times_are_noted_beside_the_cells_and_forgotten_with_them(store: Store) -> None:
    old, kept = ("aa" + digit * 62 for digit in "01")
    for name in (old, kept):
        store.put(name, cell())
        store.note(name, 1.0)
    store.note(kept, 0.25)
    (store.folder / "seconds/aa.txt").open("ab").write(b"torn li")
    assert store.seconds([old, kept, "bb" + "0" * 62]) == {old: 1.0, kept: 0.25}
    store.gc({kept}, older_than=-1.0)
    assert store.seconds([old, kept]) == {kept: 0.25}
    assert (store.folder / "seconds/aa.txt").read_text() == f"{kept} 0.250\n"
    (store.folder / "seconds/bb.txt").mkdir()
    store.note("bb" + "0" * 62, 1.0)
    assert store.seconds(["bb" + "0" * 62]) == {}
