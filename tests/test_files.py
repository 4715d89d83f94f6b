"""Files appear whole under their names, or not at all."""

import os
from pathlib import Path

import pytest

from resodectl.errors import UserError
from resodectl.files import require_writable, write_atomically, write_if_changed


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "kept").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as raised:
        write_atomically(tmp_path / "kept", b"new")
    assert raised.value.filename == str(tmp_path / "kept")
    assert (tmp_path / "kept").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_folder_that_cannot_be_made_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="the store folder cannot be written"):
        require_writable(tmp_path / "file" / "store", "store")


def test_a_folder_without_room_is_left_without_the_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> int:
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match="No space left on device"):
        require_writable(tmp_path, "store")
    assert not list(tmp_path.iterdir())


def test_a_file_that_has_these_bytes_already_is_left_untouched(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    assert write_if_changed(path, b"one")
    before = path.stat().st_mtime_ns
    assert not write_if_changed(path, b"one")
    assert path.stat().st_mtime_ns == before
    assert write_if_changed(path, b"two")
    assert path.read_bytes() == b"two"
