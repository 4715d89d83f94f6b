"""The store keeps cells whole, finds them by name, and sets aside what is damaged."""

import os
import threading
import time
from pathlib import Path

import pytest

from resodectl.engine.store import Store

ADDRESS = "ab" + "0" * 62


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_what_is_put_is_found_and_read_back(store: Store) -> None:
    entry = store.put(ADDRESS, b"rows")
    assert store.find([ADDRESS, "cd" + "0" * 62]) == {ADDRESS: entry}
    assert store.get(entry) == b"rows"
    assert list(store) == [entry]


@pytest.mark.parametrize("damage", [b"", b"row", b"rowz", b"rows and more"])
def test_damaged_files_are_set_aside_with_a_warning(
    store: Store, damage: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = store.put(ADDRESS, b"rows")
    entry.path.write_bytes(damage)
    assert store.get(entry) is None
    assert "is damaged" in capsys.readouterr().err
    assert store.find([ADDRESS]) == {}
    assert (store.folder / "damaged" / entry.path.name).read_bytes() == damage


def test_foreign_files_are_no_cells(store: Store) -> None:
    (store.folder / "ab").mkdir(parents=True)
    for name in ("notes.txt", f"{ADDRESS}.parquet", f".{ADDRESS}.123.tmp"):
        (store.folder / "ab" / name).write_bytes(b"x")
    assert list(store) == []


def test_many_writers_of_one_cell_leave_one_whole_file(store: Store) -> None:
    data = b"x" * 100_000
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
