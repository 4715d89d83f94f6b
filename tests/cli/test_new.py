"""`resodectl new`: what it writes runs at once, holds, and is refused where it would hide or overwrite something."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from resodectl.experiment import catalogue

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "resodectl/example"


@pytest.fixture(autouse=True)
def _forget(toy: Path) -> None:
    """Families that a test writes are known within the test only."""


def files(folder: Path) -> dict[str, str]:
    found = (path for path in folder.rglob("*") if path.suffix in (".py", ".yaml"))
    return {str(path.relative_to(folder)): path.read_text("utf-8") for path in found}


def test_what_is_written_runs_by_the_command_that_is_printed_and_its_claims_hold(shell) -> None:
    ended = shell("new", "my-walks/mean-square")
    assert ended.code == 0, ended.err
    command = shlex.split(ended.out.splitlines()[-1])
    assert command[:3] == ["resodectl", "--plugins", "plugins"]
    ran = shell(*command[1:], "-j", "1", "--strict")
    assert ran.code == 0, ran.err
    assert "2/2 hold, 2/2 controls break" in ran.out
    assert shell("--plugins", "plugins", "my-walks", "--profile", "smoke", "-j", "1", "--strict").code == 0
    assert "Random walks" in shell("--plugins", "plugins", "--help").out


def test_a_factor_in_the_simulation_makes_a_claim_fail(shell, tmp_path: Path) -> None:
    assert shell("new", "mine/one").code == 0
    simulation = tmp_path / "plugins/mine/one/simulation.py"
    simulation.write_text(simulation.read_text("utf-8").replace("ends = point", "ends = 3.0 * point"), "utf-8")
    ran = shell("--plugins", "plugins", "mine", "-j", "1", "--strict")
    assert ran.code == 1, ran.err
    assert "1/2 hold" in ran.out


def test_a_family_that_is_there_gets_one_experiment_more_and_keeps_what_it_has(shell, tmp_path: Path) -> None:
    assert shell("new", "mine/one", "--folder", "a b").code == 0
    about = tmp_path / "a b/mine/__init__.py"
    about.write_text('"""Mine."""\n')
    before = files(tmp_path / "a b")
    ended = shell("new", "mine/two", "--folder", "a b")
    assert ended.code == 0, ended.err
    assert "--plugins 'a b' mine two-figure" in ended.out
    after = files(tmp_path / "a b")
    assert {name: after[name] for name in before} == before
    assert sorted(after.keys() - before.keys()) == [
        *(f"mine/two/{part}.py" for part in ("__init__", "analysis", "simulation", "spec")),
        "recipes/mine/two-figure.yaml",
    ]
    assert shell("--plugins", "a b", "mine", "--profile", "smoke", "-j", "1", "--strict").code == 0
    assert shell("--plugins", "a b", "new", "mine/three", "--folder", "a b").code == 0


@pytest.mark.parametrize(
    ("name", "says"),
    [
        *((name, "is no name of an experiment") for name in (
            "walks", "walks/", "/x", "a/b/c", "Walks/one", "my_walks/one", "my-walks/o ne", "1d/walk", "walks/class",
            "import/walk", "walks/-a", "walks/a--b", "walks/é", "", "../up/one",
        )),
        *((f"{taken}/one", f"the name '{taken}' is taken") for taken in ("eos", "run", "new", "recipes", "toy")),
    ],
)  # fmt: skip
def test_a_name_that_could_not_be_used_is_refused_and_nothing_is_written(
    shell, tmp_path: Path, name: str, says: str
) -> None:
    ended = shell("new", name)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err
    assert ended.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("family", ["null", "true", "on", "y"])
def test_a_family_whose_name_yaml_reads_as_something_else_is_quoted(shell, tmp_path: Path, family: str) -> None:
    assert shell("new", f"{family}/yes").code == 0
    recipe = tmp_path / f"plugins/recipes/{family}/yes-figure.yaml"
    assert recipe.read_text("utf-8").startswith(f'family: "{family}"\n')


def test_nothing_is_overwritten(shell, tmp_path: Path) -> None:
    spec = tmp_path / "plugins/mine/one/spec.py"
    spec.parent.mkdir(parents=True)
    spec.write_text("x = 1\n")
    ended = shell("new", "mine/one")
    assert (ended.code, ended.out) == (2, "")
    assert "plugins/mine/one/spec.py: is there already, and nothing is overwritten" in ended.err
    assert files(tmp_path) == {"plugins/mine/one/spec.py": "x = 1\n"}


def test_a_folder_that_takes_no_files_is_named(shell, tmp_path: Path) -> None:
    (tmp_path / "plugins").write_text("a file")
    ended = shell("new", "mine/one")
    assert ended.code == 2
    assert "plugins/mine/__init__.py: cannot be written" in ended.err


def test_the_example_passes_the_style_of_the_project_and_stands_as_it_is_written(shell, tmp_path: Path) -> None:
    pytest.importorskip("ruff", reason="it comes with the extra `lint`")
    assert shell("new", "walks/scaling").code == 0
    written = files(tmp_path / "plugins")
    assert written == {name: text for name, text in files(EXAMPLE).items() if name in written}
    assert set(written) == files(EXAMPLE).keys() - {"__init__.py"}
    ruff = [sys.executable, "-m", "ruff"]
    for check in (["check"], ["format", "--check"]):
        done = subprocess.run([*ruff, *check, "--config", ROOT / "ruff.toml", tmp_path], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_the_example_is_a_folder_of_families(shell) -> None:
    ended = shell("--plugins", str(EXAMPLE), "show", "walks/scaling-figure")
    assert ended.code == 0, ended.err
    assert "walks" in catalogue.families()
