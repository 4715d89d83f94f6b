"""A simulation may change its process as it likes: the next cell, and where results go, know nothing of it."""

import locale
import os
import random
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from resodectl.engine.undisturbed import undisturbed

PLUGINS = Path(__file__).parents[1] / "plugins"
DISTURBING = """
    import locale, os, sys, warnings
    os.chdir("/")
    os.environ["OMP_NUM_THREADS"] = "7"
    os.umask(0o777)
    sys.path.insert(0, "/nowhere")
    warnings.simplefilter("error")
    np.seterr(all="raise")
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.set_num_threads(2)
"""


def state() -> list[object]:
    return [
        os.getcwd(),
        dict(os.environ),
        list(sys.path),
        list(warnings.filters),
        np.geterr(),
        locale.setlocale(locale.LC_ALL),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
    ]


def disturb(folder: Path) -> None:
    os.chdir(folder)
    os.environ["RESODECTL_TEST"] = "1"
    sys.path.append("nowhere")
    warnings.simplefilter("error")
    np.seterr(all="raise")
    locale.setlocale(locale.LC_ALL, "C")
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(True)
    raise ZeroDivisionError


def test_what_was_changed_is_set_back(tmp_path: Path) -> None:
    before = state()
    with pytest.raises(ZeroDivisionError), undisturbed():
        disturb(tmp_path)
    assert state() == before


def test_unseeded_draws_differ_each_time_whatever_seeded_them_before() -> None:
    drawn = []
    for _ in range(3):
        random.seed(0)
        np.random.seed(0)
        torch.manual_seed(0)
        with undisturbed():
            drawn.append((random.random(), np.random.random(), torch.rand(1, dtype=torch.float64).item()))
    assert all(len(set(of_one)) == 3 for of_one in zip(*drawn, strict=True))


@pytest.fixture
def mine(tmp_path: Path, toy: Path) -> Path:
    """The simulation of a family `mine`, with a recipe beside it."""
    shutil.copytree(PLUGINS / "toy", tmp_path / "families/mine")
    text = toy.read_text("utf-8").replace("family: toy", "family: mine").replace("toy/walk", "mine/walk")
    (tmp_path / "mine.yaml").write_text(text, "utf-8")
    return tmp_path / "families/mine/walk/simulation.py"


RUN = ("--plugins", "families", "run", "./mine.yaml", "-j", "1")


def test_a_simulation_that_changes_its_process_changes_neither_results_nor_where_they_go(
    shell, mine: Path, tmp_path: Path
) -> None:
    mine.write_text(mine.read_text("utf-8").replace("    time.sleep(point.pause)\n", DISTURBING), "utf-8")
    ended = shell(*RUN, "--controls", "--figures", "gallery", "--junit", "claims.xml")
    assert ended.code == 0, ended.err
    assert "1/1 hold, 1/1 controls break" in ended.out
    assert {path.name for path in tmp_path.iterdir()} == {"claims.xml", "families", "gallery", "mine.yaml", "runs"}
    assert len(list((tmp_path / "runs/store").glob("??/*.parquet"))) == 12
    for path in (tmp_path / "runs").rglob("*"):
        assert path.stat().st_mode & 0o600 == 0o600


@pytest.mark.parametrize("crash", ["import ctypes; ctypes.string_at(0)", "os.kill(os.getpid(), 9)", "os._exit(0)"])
def test_a_crash_with_one_worker_is_a_failed_cell(shell, mine: Path, tmp_path: Path, crash: str) -> None:
    mine.write_text(mine.read_text("utf-8").replace("os._exit(9)", crash), "utf-8")
    ended = shell(*RUN, "--set", "die_at=400", "--seeds", "2")
    assert ended.code == 3
    assert "400 seeds 0..1: its worker process died (a crash in compiled code, or no memory)" in ended.err
    assert len(list((tmp_path / "runs/store").glob("??/*.parquet"))) == 2
