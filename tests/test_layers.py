"""Imports go one way: cli, sweeps, runs, (engine, claims, drawing, families), (experiment, recipe), numerics."""

import ast
from pathlib import Path

import pytest

import resodectl

PACKAGE = Path(resodectl.__file__).parent
BELOW = {  # each folder, and the folders that its modules may import besides their own
    "cli": {"report", "sweeps", "runs", "engine", "claims", "experiment", "recipe", "datasets"},
    "report": {"runs", "claims", "experiment", "recipe"},
    "sweeps": {"runs", "engine", "claims", "drawing", "recipe"},
    "runs": {"engine", "claims", "drawing", "experiment", "recipe", "datasets"},
    "engine": {"experiment", "datasets"},
    "claims": {"recipe", "experiment"},
    "drawing": {"experiment"},
    "families": {"experiment", "claims", "drawing", "training", "numerics", "datasets"},
    "example": {"experiment", "claims", "drawing"},
    "training": {"experiment", "numerics", "datasets"},
    "recipe": {"experiment"},
    "experiment": set(),
    "datasets": set(),
    "numerics": set(),
}
EVERYWHERE = {"errors", "files"}
DISCOVERY = ("experiment/catalogue.py", "families")  # the families are found there, from their folders
MODULES = sorted(path for path in PACKAGE.glob("*/**/*.py") if "recipes" not in path.relative_to(PACKAGE).parts)


def imported(path: Path) -> set[str]:
    """The folders, or modules, of the package that a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("resodectl.")} - {"__file__"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_what_is_below_it_alone(path: Path) -> None:
    inside = path.relative_to(PACKAGE)
    allowed = BELOW[inside.parts[0]] | {inside.parts[0]} | EVERYWHERE
    if str(inside) == DISCOVERY[0]:
        allowed |= {DISCOVERY[1]}
    assert imported(path) <= allowed


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("**/__init__.py")), ids=lambda path: path.parent.name)
def test_a_package_re_exports_nothing(path: Path) -> None:
    assert not [node for node in ast.parse(path.read_text("utf-8")).body if not isinstance(node, ast.Expr)]


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("families/*/*/analysis.py")), ids=lambda path: path.parent.name)
def test_an_analysis_imports_neither_torch_nor_a_simulation(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "import torch" not in text
    assert "simulation import" not in text
