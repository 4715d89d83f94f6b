"""The fingerprint follows the formulas, and only the formulas."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from resodectl.engine import address
from resodectl.engine import fingerprint as module
from resodectl.engine.fingerprint import closure, fingerprint, third_party
from resodectl.experiment import catalogue


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "walkers"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""A package."""\n')
    (folder / "gait.py").write_text('"""How."""\nSTEP = 1\n')
    (folder / "paths.py").write_text(
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from walkers import drawn\n\n\n"
        "def length(n):\n    from . import gait\n    return n * gait.STEP\n"
    )
    (folder / "drawn.py").write_text("import matplotlib\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield folder
    for name in [name for name in sys.modules if name.startswith("walkers")]:
        del sys.modules[name]
    forget()


def forget() -> None:
    for function in (closure, fingerprint, third_party, *vars(module).values()):
        getattr(function, "cache_clear", lambda: None)()


def after(path: Path, text: str) -> str:
    path.write_text(text)
    forget()
    return fingerprint(("walkers.paths",))


def test_the_closure_has_imports_inside_functions_but_not_those_for_type_checkers(package: Path) -> None:
    forget()
    assert set(closure(("walkers.paths",))) == {"walkers", "walkers.paths", "walkers.gait"}


def test_what_is_imported_unless_for_type_checkers_counts(package: Path) -> None:
    (package / "gait.py").write_text("import typing\nif not typing.TYPE_CHECKING:\n    from walkers import drawn\n")
    forget()
    assert "walkers.drawn" in closure(("walkers.paths",))


def test_random_streams_and_tables_are_part_of_what_determines_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(address, "fingerprint", lambda entries: asked.extend(entries) or "code")
    address.environment.__wrapped__(catalogue.experiments()[0], "cpu")
    assert {"resodectl.experiment.context", "resodectl.engine.tables"} <= set(asked)


def test_comments_docstrings_and_formatting_leave_it_and_formulas_change_it(package: Path) -> None:
    gait = package / "gait.py"
    before = after(gait, '"""How."""\nSTEP = 1\n')
    assert after(gait, '"""Explained anew."""\n\n# the unit\nSTEP = (1)\n') == before
    assert after(gait, "STEP = 2\n") != before
    assert after(package / "drawn.py", "import seaborn\n") != before  # gait is still changed
    assert after(gait, "STEP = 1\n") == before


def test_the_prose_of_settings_and_columns_leaves_it_and_their_names_types_and_bounds_change_it(package: Path) -> None:
    imports = "from resodectl.experiment.columns import Column\nfrom resodectl.experiment.settings import setting\n"
    spec = imports + 'depth = setting("{}", unit="{}", ge={})\nLOG = (Column("{}", "int64", "layers", {}),)\n'
    before = after(package / "gait.py", spec.format("depth N", "layers", 1, "depth", "'depth'"))
    assert after(package / "gait.py", spec.format("how deep", "layers", 1, "depth", "'how deep'")) == before
    assert after(package / "gait.py", spec.format("depth N", "layers", 2, "depth", "'depth'")) != before
    assert after(package / "gait.py", spec.format("depth N", "steps", 1, "depth", "'depth'")) != before
    assert after(package / "gait.py", spec.format("depth N", "layers", 1, "width", "'depth'")) != before
    named = imports + 'depth = setting(description="{}", ge=1)\nLOG = (Column("n", "int64", "", meaning="{}"),)\n'
    before = after(package / "gait.py", named.format("a", "b"))
    assert after(package / "gait.py", named.format("c", "d")) == before


def test_what_is_called_alike_but_is_no_declaration_counts_and_so_do_docstrings_that_are_read(package: Path) -> None:
    for text in (
        "def setting(x): return x\nGAIN = setting({})\n",
        "from elsewhere import setting\nGAIN = setting('{}')\n",
        "from resodectl.experiment.settings import setting\nGAIN = setting(description={})\n",
        '"""{}"""\nGAIN = float(__doc__)\n',
    ):
        before = after(package / "gait.py", text.format("1.0"))
        assert after(package / "gait.py", text.format("50.0")) != before


LOADED = """
import importlib, os, sys
import numpy, scipy.linalg, sklearn.datasets, torch  # what takes long to import, once for all
for line in sys.stdin:
    if os.fork() == 0:
        for name in line.split():
            importlib.import_module(name)
        print(*(name for name in sys.modules if name.startswith("resodectl")), flush=True)
        os._exit(0)
    os.wait()
"""


def test_the_closure_of_an_experiment_has_every_module_that_importing_it_loads() -> None:
    packages = [catalogue.Experiment(name).package for name in catalogue.experiments()]
    asked = "".join(f"{package}.simulation {package}.spec\n" for package in packages)
    done = subprocess.run([sys.executable, "-c", LOADED], input=asked, capture_output=True, text=True, check=True)
    for entries, loaded in zip(asked.splitlines(), done.stdout.splitlines(), strict=True):
        assert set(entries.split()) <= set(loaded.split()) <= set(closure(tuple(entries.split())))
        assert "torch" in third_party(tuple(entries.split()))


def test_modules_beside_the_package_count_unless_a_version_stands_for_them(package: Path) -> None:
    (package.parent / "shoes.py").write_text("SIZE = 42\n")
    (package / "gait.py").write_text("import numpy\nimport shoes\nSTEP = shoes.SIZE\n")
    forget()
    importlib.invalidate_caches()
    assert set(closure(("walkers.paths",))) == {"walkers", "walkers.paths", "walkers.gait", "shoes"}
    assert set(third_party(("walkers.paths",))) == {"numpy"}
