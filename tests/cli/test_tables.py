"""Tables are read at 80 columns: no name is cut, prose is folded, what does not fit stands below."""

import os
import sys
from pathlib import Path

import pytest

from resodectl.cli.tables import lines
from resodectl.experiment import catalogue

NAMES = sorted(catalogue.shipped())


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch):
    """Makes stdout a terminal of so many columns."""

    def make(columns: int) -> None:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
        monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((columns, 40)))
        monkeypatch.setenv("NO_COLOR", "1")

    return make


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_list_shows_every_name_whole(shell, terminal, columns: int) -> None:
    terminal(columns)
    shown = shell("list").out.splitlines()
    assert set(NAMES) <= {line.split()[0] for line in shown if line}
    assert max(map(len, shown)) <= max(columns, *map(len, NAMES))


@pytest.mark.parametrize("columns", [80, 120])
def test_no_word_of_any_recipe_is_cut(shell, terminal, columns: int) -> None:
    whole = {name: set(shell("show", name).out.split()) for name in NAMES[::6]}
    terminal(columns)
    for name, words in whole.items():
        ended = shell("show", name)
        assert {word for word in words if not word.startswith("─")} <= set(ended.out.split())
    assert "digits" in shell("data", "list").out.split()
    assert "scikit-learn" in shell("data", "list").out.split()


def test_a_run_names_recipe_and_figure_whole(shell, terminal, toy: Path) -> None:
    terminal(40)
    for command in (("--dry-run",), ()):
        shown = shell("toy", "-j", "1", *command).out
        assert "toy/walk-speed" in shown.split()
    assert "figure: runs/toy/walk-speed/laptop/figure.png" in shown
    assert "toy/walk" in shell("store", "ls").out.split()


def test_where_stdout_is_no_terminal_nothing_is_folded(shell) -> None:
    titles = {line.split("  ")[0]: line for line in shell("list").out.splitlines()}
    assert set(NAMES) <= set(titles)


TABLE = (("name", "number", "prose", "path"), [("a", "1", "one two three " * 4, "x" * 30)])


@pytest.mark.parametrize("width", [10, 30, 50, 70, 90, 200, None])
def test_all_is_shown_at_any_width(width: int | None) -> None:
    shown = lines(*TABLE, ("prose",), width)
    words = [word for line in shown for word in line.split()]
    assert words.count("three") == 4
    assert "x" * 30 in words
    if width is not None and width >= 36:
        assert max(map(len, shown)) <= width


def test_wide_letters_take_two_cells() -> None:
    shown = lines(("name", "n"), [("深度", "1"), ("abcd", "2")], (), 80)
    assert shown[2:] == ["深度  1", "abcd  2"]
