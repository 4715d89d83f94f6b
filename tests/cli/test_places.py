"""Where the command reads and writes, and on which terminal: home folders, other folders, encodings."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = str(Path(__file__).parents[1] / "plugins")


def test_a_tilde_is_the_home_folder_in_options_variables_and_recipes(
    shell, toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "walk-speed.yaml").write_bytes(toy.read_bytes())
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("RESODECTL_STORE", "~/store")
    options = ("--out", "~/out", "--figures", "~/gallery", "--junit", "~/claims.xml", "--data-root", "~/data")
    ended = shell("run", "~/walk-speed.yaml", "-j", "1", *options)
    assert ended.code == 0, ended.err
    here = {path.name for path in home.iterdir() if not path.name.startswith(".")}  # other programs' caches
    assert here == {"walk-speed.yaml", "store", "out", "gallery", "claims.xml"}
    assert list(tmp_path.iterdir()) == [home]
    assert shell("init", "~/mine", "--family", "heun").code == 0
    assert (home / "mine/heun").is_dir()


@pytest.mark.parametrize(
    ("name", "says"), [("", "the name is empty"), ("~nobody-here/x", "no home folder ~nobody-here")]
)
def test_a_place_that_is_none_is_refused(shell, toy: Path, tmp_path: Path, name: str, says: str) -> None:
    ended = shell("toy", "--out", name)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err
    assert not list(tmp_path.iterdir())


def test_the_command_that_makes_a_log_can_be_typed(shell, toy: Path, tmp_path: Path) -> None:
    options = ("--out", "there", "--store", "cells", "--seeds", "2", "--set", "lengths.0=8")
    ended = shell("check", "walk-speed", *options)
    said = ended.err.partition("run `resodectl ")[2].partition("`")[0]
    assert said == (
        "run toy/walk-speed --profile laptop --set 'lengths=[8, 400, 4000]' --seeds 2 --out there --store cells"
    )


def test_what_the_terminal_cannot_show_is_escaped(shell, toy: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "walk-speed.yaml"
    recipe.write_text(toy.read_text("utf-8").replace("The speed of a", "La vitesse, 速度, d'une"), "utf-8")
    assert shell("run", "./walk-speed.yaml", "-j", "1").code == 0
    for variables in ({"PYTHONIOENCODING": "latin-1"}, {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}):
        environment = {**os.environ, "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", **variables}
        for command in (["list"], ["show", "./walk-speed.yaml"], ["run", "./walk-speed.yaml"], ["schema"]):
            arguments = [sys.executable, "-m", "resodectl", "--plugins", PLUGINS, *command]
            ended = subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, check=False)
            assert ended.returncode == 0, ended.stderr
            assert b"Error" not in ended.stderr
