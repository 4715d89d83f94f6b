"""What was measured is kept: it is found as long as all that determines it is as it was, and measured again if not."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from resodectl.runs import finish, kept
from tests.anew import forget

PLUGINS = Path(__file__).parents[1] / "plugins"
HEAVY = {"torch", "pandas", "matplotlib", "seaborn", "scipy", "sklearn", "pyarrow"}
RUN = ("run", "./walk-speed.yaml", "-j", "1")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the recipes that were measured, in their order."""
    names: list[str] = []
    true = finish.measure

    def counted(recipe, *logs):
        names.append(recipe.name)
        return true(recipe, *logs)

    monkeypatch.setattr(finish, "measure", counted)
    return names


@pytest.fixture
def recipe(shell, toy: Path, tmp_path: Path, measured: list[str]) -> Path:
    """A recipe that was run with its controls; from then on it is counted what is measured."""
    path = tmp_path / "walk-speed.yaml"
    path.write_bytes(toy.read_bytes())
    assert "1/1 hold, 1/1 controls break" in shell(*RUN, "--controls").out
    measured.clear()
    return path


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def stored(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "runs/store/measured").iterdir())


def test_a_warm_run_imports_nothing_that_computes_measures_or_draws(recipe: Path, tmp_path: Path) -> None:
    code = "import sys; from resodectl.cli.main import _exit_code; sys.argv[0] = 'resodectl'; code = _exit_code()\n"
    code += "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr); sys.exit(code)"
    args = [sys.executable, "-c", code, "--plugins", PLUGINS, *RUN, "--controls", "-q", "--figures", "gallery"]
    for _ in range(2):  # the gallery is new to the first
        done = subprocess.run(args, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "1/1 hold, 1/1 controls break" in done.stdout
    assert set(done.stderr.split()) & HEAVY == set()


def test_sentences_and_bands_are_judged_anew_without_measuring(shell, recipe: Path, measured: list[str]) -> None:
    edited(recipe, "A walk without drift has no speed", "A walk stays")
    shell(*RUN)  # no more the shipped recipe, it gets a folder of its own
    measured.clear()
    edited(recipe, "[-0.2, 0.2]", "[-0.2, 9]")
    ended = shell(*RUN)
    assert "A walk stays" in ended.out
    assert "1/1 hold, 0/1 controls break" in ended.out
    assert measured == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{min: 100}", "{min: 300}"),
        ("{length: {min: 100}}", "{length: 400}"),
        ("set: {drift: 0.5}", "set: {drift: 0.6}"),
        ("set: {drift: 0.5}", "set: {drift: 0.5}\n      where: {length: 4000}"),
        ("lengths: [4, 400, 4000]", "lengths: [400, 4000]"),
    ],
)
def test_what_the_claims_look_at_is_measured(shell, recipe: Path, measured: list[str], old: str, new: str) -> None:
    edited(recipe, old, new)
    assert shell(*RUN, "--controls").code == 0
    assert shell(*RUN, "--controls").code == 0
    assert len(measured) == 1


def test_controls_that_were_run_since_are_measured(shell, toy: Path, measured: list[str]) -> None:
    assert "control not run" in shell("toy", "-j", "1").out
    assert "1/1 controls break" in shell("toy", "-j", "1", "--controls").out
    assert "1/1 controls break" in shell("toy", "-j", "1").out
    assert len(measured) == 2


def test_cells_that_were_computed_again_are_measured(shell, recipe: Path, measured: list[str]) -> None:
    assert shell(*RUN, "--force").code == 0
    assert len(measured) == 1


@pytest.mark.parametrize("damage", ["torn", '{"log": "x", "cells": [], "measured": []}', ""])
def test_a_damaged_file_is_measured_again_and_mended(
    shell, recipe: Path, measured: list[str], tmp_path: Path, damage: str
) -> None:
    (path,) = stored(tmp_path)
    whole = path.read_bytes()
    path.write_text(damage)
    assert "1/1 hold" in shell(*RUN).out
    assert len(measured) == 1
    assert json.loads(path.read_bytes())["measured"] == json.loads(whole)["measured"]
    assert shell(*RUN).code == 0
    assert len(measured) == 1


def test_a_log_or_cell_that_is_not_whole_is_written_again(
    shell, recipe: Path, measured: list[str], tmp_path: Path
) -> None:
    log = tmp_path / "runs/toy/walk-speed/laptop/log-ends.parquet"
    whole = log.read_bytes()
    for damage in (lambda: log.write_bytes(b"torn"), log.unlink):
        damage()
        assert shell(*RUN).code == 0
        assert log.read_bytes() == whole
    for cell in sorted((tmp_path / "runs/store").glob("??/*.parquet")):  # a control's cell is not even read
        cell.write_bytes(b"torn")
        assert shell(*RUN).code == 0
        if (tmp_path / "runs/store/damaged").exists():
            break
    else:
        pytest.fail("no damaged cell was read")
    assert len(measured) >= 2


def test_a_figure_that_is_missing_is_drawn_from_the_log(
    shell, recipe: Path, measured: list[str], tmp_path: Path
) -> None:
    figure = tmp_path / "runs/toy/walk-speed/laptop/figure.png"
    whole = figure.read_bytes()
    figure.unlink()
    assert shell(*RUN).code == 0
    assert figure.read_bytes() == whole
    assert measured == []


def test_a_store_that_takes_no_files_costs_nothing_but_time(
    shell, toy: Path, measured: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept, "write_if_changed", full)
    for _ in range(2):
        assert "1/1 hold" in shell("toy", "-j", "1").out
    assert len(measured) == 2


def test_gc_deletes_what_is_older_than_a_day(shell, recipe: Path, tmp_path: Path) -> None:
    (path,) = stored(tmp_path)
    found = tmp_path / "runs/store/sources.json"
    found.touch()
    assert shell("store", "gc").code == 0
    assert path.exists()
    for old in (path, found):
        os.utime(old, (0, 0))
    assert shell("store", "gc", "--dry-run").code == 0
    assert path.exists()
    assert shell("store", "gc").out == "0 cells deleted\n"
    assert not path.exists()
    assert not found.exists()


@pytest.fixture
def mine(toy: Path, tmp_path: Path) -> Iterator[Path]:
    """The folder of an experiment of one's own, and its recipe mine.yaml."""
    shutil.copytree(PLUGINS / "toy", tmp_path / "mine/mine")
    text = toy.read_text("utf-8").replace("family: toy", "family: mine").replace("toy/walk", "mine/walk")
    (tmp_path / "mine.yaml").write_text(text)
    forget("mine")
    yield tmp_path / "mine/mine/walk"
    forget("mine")


@pytest.mark.parametrize(
    ("file", "old", "new", "count"),
    [
        ("analysis.py", 'of_seed["end"] /', '2 * of_seed["end"] /', 1),
        ("spec.py", '"where the walk ends"', '"where it ends"', 1),  # the log's files say so
        ("analysis.py", '"""Measures', '"""Explains measures', 0),
    ],
)
def test_other_code_of_the_measures_measures_again(
    shell, mine: Path, measured: list[str], file: str, old: str, new: str, count: int
) -> None:
    command = ("--plugins", "mine", "run", "./mine.yaml", "-j", "1")
    assert shell(*command).code == 0
    measured.clear()
    edited(mine / file, old, new)
    forget("mine")
    assert "0 computed, 6 reused" in shell(*command).out
    assert len(measured) == count


def test_an_analysis_that_is_no_python_is_told_with_its_line(shell, mine: Path) -> None:
    command = ("--plugins", "mine", "run", "./mine.yaml", "-j", "1")
    assert shell(*command).code == 0
    edited(mine / "analysis.py", "import pandas as pd", "import pandas as")
    forget("mine")
    ended = shell(*command)
    assert ended.code == 2
    assert "mine/walk/analysis.py:6: the analysis of mine/walk cannot be imported: SyntaxError" in ended.err
