"""Families from folders: what is broken in one of them is named, and costs nothing else."""

import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from resodectl.errors import UserError
from resodectl.experiment import catalogue

SPEC = (Path(__file__).parents[1] / "plugins/toy/walk/spec.py").read_text("utf-8")


@pytest.fixture
def plugin(toy: Path, tmp_path: Path) -> Iterator[Path]:
    """The folder of an experiment `broken/walk`, to write files to."""
    folder = tmp_path / "broken/walk"
    folder.mkdir(parents=True)
    (folder / "spec.py").write_text(SPEC)
    yield folder
    for name in [name for name in sys.modules if name.startswith("resodectl.families.broken")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("part", "text", "says"),
    [
        ("spec", "1/0", "spec.py:1: the spec of broken/walk cannot be imported: ZeroDivisionError: division by zero"),
        ("spec", "import sys\nsys.exit(0)", "spec.py:2: the spec of broken/walk cannot be imported: SystemExit: 0"),
        ("spec", "def f(:\n", "spec.py:1: the spec of broken/walk cannot be imported: SyntaxError: invalid syntax"),
        ("spec", SPEC.replace("SEED_BLOCK = 2", ""), "spec.py: the spec of broken/walk has no SEED_BLOCK"),
        ("spec", SPEC.replace("SEED_BLOCK = 2", "SEED_BLOCK = 0"), "SEED_BLOCK must be a whole number of seeds"),
        ("spec", SPEC.replace("    seeds: int", "    sedes: int"), "Params must be a Settings with the field 'seeds'"),
        ("analysis", None, "the analysis of broken/walk cannot be imported: ModuleNotFoundError: No module named"),
    ],
)
def test_a_broken_part_of_an_experiment_is_named(plugin: Path, part: str, text: str | None, says: str) -> None:
    if text is not None:
        (plugin / f"{part}.py").write_text(text)
    catalogue.add_plugins(plugin.parents[1])
    experiment = catalogue.experiment("broken/walk")
    with pytest.raises(UserError) as refused:
        _ = experiment.spec if part == "spec" else experiment.module(part)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_broken_family_is_left_out_with_a_warning(plugin: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (plugin.parent / "__init__.py").write_text("raise RuntimeError('not today')")
    catalogue.add_plugins(plugin.parents[1])
    assert "toy" in catalogue.families()
    assert "broken" not in catalogue.families()
    assert "the family broken is left out: RuntimeError: not today" in capsys.readouterr().err


def test_an_underscore_does_not_tell_a_name_from_a_taken_one(plugin: Path) -> None:
    plugin.parent.rename(plugin.parents[1] / "my_check")
    with pytest.raises(UserError, match="the name 'my_check' is taken"):
        catalogue.add_plugins(plugin.parents[1], frozenset({"my-check"}))


def test_a_broken_installed_package_is_left_out_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = importlib.metadata.EntryPoint("mine", "no_such_package.families", "resodectl.families")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [entry])
    catalogue.add_installed(frozenset())
    assert "no_such_package.families are left out: ModuleNotFoundError" in capsys.readouterr().err
