"""What tests share: one thread, a family of their own, and the command line in this process."""

import os

for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_variable] = "1"

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

import resodectl.families
from resodectl.experiment import catalogue
from tests.anew import forget

torch.set_num_threads(1)
PLUGINS = Path(__file__).parent / "plugins"
collect_ignore = ["plugins"]  # its modules belong to a family that is known within a test only


@pytest.fixture
def known_families() -> Iterator[None]:
    """The families that a test makes known are known for its length."""
    known = list(resodectl.families.__path__)
    shipped = {name.replace("-", "_") for name in catalogue.families()}
    yield
    resodectl.families.__path__[:] = known
    catalogue._plugin_folders.clear()
    catalogue.families.cache_clear()
    catalogue.shipped.cache_clear()
    loaded = {name.split(".")[2] for name in sys.modules if name.startswith("resodectl.families.")}
    if others := loaded - {"toy", *shipped}:  # another test may write another family of that name
        forget(*others)


@pytest.fixture
def toy(known_families: None) -> Path:
    """The recipe of the family that stands in tests/plugins."""
    catalogue.add_plugins(PLUGINS)
    return PLUGINS / "recipes/toy/walk-speed.yaml"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run `resodectl ARGS` in this process, in an empty folder."""
    from resodectl.cli.main import _exit_code

    monkeypatch.chdir(tmp_path)
    for variable in ("RESODECTL_STORE", "RESODECTL_DATA", "RESODECTL_PLUGINS"):
        monkeypatch.delenv(variable, raising=False)

    def run(*args: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["resodectl", *map(str, args)])
        code = _exit_code()
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return run
