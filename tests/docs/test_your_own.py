"""docs/your-own.md shows the files that `resodectl new` writes, and names all that an author may import."""

import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pytest

import resodectl
from tests.docs.test_readme import blocks

PACKAGE = Path(resodectl.__file__).parent
PAGE = PACKAGE.parent / "docs/your-own.md"
NOT_FOR_AUTHORS = {  # what the tool does with a family
    "experiment": {"catalogue"},
    "claims": {"document", "junit", "measures", "selecting", "verdict"},
    "drawing": {"provenance", "save"},
}
CONSTANTS = ("choices", "columns", "colours")  # modules whose public names are not functions and classes alone


def listed() -> dict[str, set[str]]:
    """The names that the page lists, by module."""
    names: dict[str, set[str]] = {}
    for section in PAGE.read_text("utf-8").split("\n### ")[1:]:
        heading, _, text = section.partition("\n")
        modules = re.findall(r"`resodectl\.([a-z_.]+)`", heading)
        if modules:
            cells = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
            names[" ".join(modules)] = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    return names


def public(module: ModuleType) -> set[str]:
    """The public names that a module defines."""
    text = inspect.getsource(module)

    def is_defined(name: str, value: Any) -> bool:
        if inspect.isfunction(value) or inspect.isclass(value):
            return value.__module__ == module.__name__
        assigned = re.search(rf"^(?:.*, )?{name}(?:: .*|, .*)? = ", text, re.MULTILINE)
        return bool(assigned) and module.__name__.endswith(CONSTANTS) and not isinstance(value, TypeVar)

    return {name for name, value in vars(module).items() if not name.startswith("_") and is_defined(name, value)}


@pytest.mark.parametrize("modules", listed())
def test_every_public_name_is_listed_and_every_listed_name_exists(modules: str) -> None:
    known = set().union(*(public(importlib.import_module(f"resodectl.{name}")) for name in modules.split()))
    assert listed()[modules] == known


def test_every_module_for_authors_is_listed() -> None:
    modules = {
        f"{folder}.{path.stem}"
        for folder, ours in NOT_FOR_AUTHORS.items()
        for path in (PACKAGE / folder).glob("[a-z]*.py")
        if path.stem not in ours
    }
    assert modules == {name for heading in listed() for name in heading.split()}


def test_the_files_that_are_shown_are_those_that_are_written() -> None:
    example = PACKAGE / "example"
    files = [
        (example / "walks/scaling" / f"{part}.py").read_text("utf-8") for part in ("spec", "simulation", "analysis")
    ]
    assert blocks(PAGE, "python") == files
    assert blocks(PAGE, "yaml")[1] == (example / "recipes/walks/scaling-figure.yaml").read_text("utf-8")
