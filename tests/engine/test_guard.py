"""A cell is computed by the code and from the files that its address stands for, or it fails."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from resodectl.engine import guard
from resodectl.engine.guard import Code, guarded
from resodectl.engine.seen import seen
from resodectl.errors import UserError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path of modules, of which this process forgets all that a test has imported of it."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("gait", "shoes"):
        sys.modules.pop(name, None)
        guard._checked.discard(name)


def test_a_data_set_that_changes_in_the_block_fails_it(folder: Path) -> None:
    labels = folder / "labels"
    labels.write_bytes(b"123")
    with (
        pytest.raises(UserError, match="labels has changed since the run began"),
        guarded("walks/far", Code(), (), (seen(labels),)),
    ):
        labels.write_bytes(b"1234")


def test_a_module_that_no_reading_leads_to_fails_the_cell_that_imports_it_be_it_the_first_or_not(folder: Path) -> None:
    (folder / "gait.py").write_text("STEP = 1\n")
    with guarded("walks/far", Code(), (), ()):
        pass
    with (
        pytest.raises(UserError, match=r"walks/far imports gait .* import it relatively"),
        guarded("walks/far", Code(), (), ()),
    ):
        importlib.import_module("gait")


def test_a_module_that_is_edited_before_a_late_cell_imports_it_fails_that_cell(folder: Path) -> None:
    path = folder / "gait.py"
    path.write_text("STEP = 1\n")
    code = Code({"gait": ""}, (seen(path),))
    with guarded("walks/far", code, (), ()):
        pass
    path.write_text("STEP = 10\n")
    with (
        pytest.raises(UserError, match=r"gait\.py has changed since the run began"),
        guarded("walks/far", code, (), ()),
    ):
        importlib.import_module("gait")


def test_a_module_that_is_edited_after_its_import_plays_no_part(folder: Path) -> None:
    path = folder / "gait.py"
    path.write_text("STEP = 1\n")
    code = Code({"gait": ""}, (seen(path),))
    with guarded("walks/far", code, (), ()):
        importlib.import_module("gait")
    path.write_text("STEP = 10\n")
    with guarded("walks/far", code, (), ()):
        pass


def test_a_module_that_is_found_elsewhere_than_it_was_hashed_fails_the_cell(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    for place in (folder, folder / "elsewhere"):
        (place / "shoes.py").write_text("SIZE = 42\n")
    code = Code({"shoes": ""}, (seen(folder / "elsewhere/shoes.py"),))
    with (
        pytest.raises(UserError, match=r"imports shoes from .*, but from the command's path it is .*elsewhere"),
        guarded("walks/far", code, (), ()),
    ):
        importlib.import_module("shoes")
