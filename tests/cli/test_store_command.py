"""`resodectl store` reports what is odd in a store, and deletes nothing that it cannot be sure of."""

import json
from pathlib import Path

import pytest


@pytest.fixture
def cells(shell, toy: Path, tmp_path: Path) -> list[Path]:
    """The stored cells of a small run."""
    shell("toy", "-j", "1", "-q", "--profile", "smoke")
    return sorted((tmp_path / "runs/store").glob("??/*.parquet"))


def test_ls_lists_a_damaged_cell_with_question_marks(shell, cells: list[Path]) -> None:
    cells[0].write_bytes(b"torn")
    ended = shell("store", "ls")
    assert (ended.code, ended.out.count("?")) == (0, 3)
    assert {cell["experiment"] for cell in json.loads(shell("store", "ls", "--json").out)} == {"?", "toy/walk"}


def test_gc_without_the_folder_of_results_deletes_nothing(shell, cells: list[Path]) -> None:
    ended = shell("store", "gc", "--out", "elsewhere")
    assert (ended.code, ended.out) == (2, "")
    assert "elsewhere: there are no results here" in ended.err


@pytest.mark.parametrize("content", ["torn", "[]", '{"cells": [1]}', '{"cells": 3}'])
def test_gc_stops_at_a_manifest_that_it_cannot_read(shell, cells: list[Path], tmp_path: Path, content: str) -> None:
    (manifest,) = (tmp_path / "runs").glob("*/*/*/manifest.json")
    manifest.write_text(content)
    ended = shell("store", "gc")
    assert (ended.code, ended.out) == (2, "")
    assert f"{manifest.relative_to(tmp_path)}: cannot be read as a manifest" in ended.err
    assert all(path.exists() for path in cells)


def test_init_on_a_full_disk_leaves_no_empty_recipe(shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    ended = shell("init", "mine")
    assert ended.code == 2
    assert ".yaml: cannot be written (No space left on device)" in ended.err
    assert not [path for path in (tmp_path / "mine").rglob("*") if path.is_file()]
