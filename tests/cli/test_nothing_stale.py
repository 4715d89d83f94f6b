"""A stored cell is reused only if all that determines it is as it was."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.anew import forget
from tests.conftest import PLUGINS, Ended

READS = "np.loadtxt(pathlib.Path(__file__).parent / 'offset.csv')"
SIMULATION, SPEC = "toy/walk/simulation.py", "toy/walk/spec.py"


@dataclass(frozen=True)
class Family:
    """A copy of the family of the tests, and the command line, as if each command had a process of its own."""

    folder: Path
    shell: Callable[..., Ended]

    def run(self, *args: str) -> Ended:
        forget("toy")
        return self.shell("--plugins", self.folder, *args)

    def missing(self, *args: str) -> int:
        """How many of the four cells of the smoke profile a run would compute."""
        ended = self.run("run", "toy/walk-speed", "--profile", "smoke", "--dry-run", "--json", *args)
        assert ended.code == 0, ended.err
        return json.loads(ended.out)["recipes"][0]["to_compute"]

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text("utf-8")
        assert text.count(old) == 1
        path.write_text(text.replace(old, new), "utf-8")


Copy = Callable[..., Family]


@pytest.fixture
def copy(shell, tmp_path: Path, known_families: None) -> Copy:
    """A family whose cells were computed after `prepare` had changed it."""

    def made(prepare: Callable[[Family], None] = lambda family: None) -> Family:
        family = Family(tmp_path / "plugins", shell)
        shutil.copytree(PLUGINS, family.folder, ignore=shutil.ignore_patterns("__pycache__"))
        prepare(family)
        ended = family.run("run", "toy/walk-speed", "--profile", "smoke", "-j", "1")
        assert ended.code == 0, ended.err
        assert family.missing() == 0
        return family

    yield made
    forget("toy")


def with_a_table(family: Family) -> None:
    (family.folder / "toy/walk/offset.csv").write_text("1.0\n")
    family.edit(SIMULATION, "+ point.drift)", f"+ point.drift + 0 * {READS}.sum())")
    family.edit(SIMULATION, "import os\n", "import os\nimport pathlib\n")


def test_a_file_beside_the_simulation_or_above_it_counts_and_a_text_or_a_siblings_does_not(copy: Copy) -> None:
    family = copy(with_a_table)
    toy = family.folder / "toy"
    (toy / "run").mkdir()
    for name in (
        "run/spec.py",
        "run/sibling.csv",
        "walk/notes.md",
        "walk/.hidden",
        "walk/offset.csv~",
        "walk/other.py",
    ):
        (toy / name).write_text("x = 1\n")
    assert family.missing() == 0
    (toy / "walk/offset.csv").write_text("2.0\n")
    assert family.missing() == 4
    (toy / "walk/offset.csv").write_text("1.0\n")
    assert family.missing() == 0
    (toy / "tables").mkdir()
    (toy / "tables/shared.npy").write_bytes(b"\0")
    assert family.missing() == 4


def test_a_module_that_is_imported_by_its_name_counts(copy: Copy) -> None:
    def prepare(family: Family) -> None:
        (family.folder / "toy/walk/dyn.py").write_text("STEP = 1\n")
        family.edit(SIMULATION, "import os\n", "import os\nimport importlib\n")
        family.edit(
            SIMULATION,
            "    point = cell.point\n",
            "    importlib.import_module('.dyn', __package__)\n    point = cell.point\n",
        )

    family = copy(prepare)
    (family.folder / "toy/walk/dyn.py").write_text("STEP = 2\n")
    assert family.missing() == 4
    family.edit(SIMULATION, "('.dyn', __package__)", "(f'{__package__}.dyn')")
    ended = family.run("run", "toy/walk-speed", "--profile", "smoke")
    assert ended.code == 2
    assert "simulation.py:18: what 'importlib.import_module' loads cannot be read" in ended.err
    assert "write a plain import" in ended.err


def test_a_module_that_hides_from_the_reading_fails_its_cells(
    copy: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "secret_steps.py").write_text("STEP = 1\n")
    family = copy()
    hidden = "    exec('import secret_steps')\n    point = cell.point\n"
    family.edit(SIMULATION, "    point = cell.point\n", hidden)
    ended = family.run("run", "toy/walk-speed", "--profile", "smoke", "-j", "1", "--set", "lengths=[4]", "--seeds", "2")
    assert ended.code == 3
    assert "toy/walk imports secret_steps" in ended.err
    assert "put it into the family's folder and import it relatively" in ended.err


def declared(family: Family) -> None:
    (family.folder / "recipes/toy/steps.csv").write_text("1.0\n")
    family.edit(SPEC, "import Distinct, Dtype", "import Distinct, Dtype, FileName")
    drift = '    drift: float = setting("mean of a step", default=0.0)\n'
    family.edit(SPEC, drift, drift + '    steps: FileName = setting("a file", default="steps.csv")\n')
    reading = "    point = cell.point\n    float(context.input(point.steps).read_text())\n"
    family.edit(SIMULATION, "    point = cell.point\n", reading)


def test_a_declared_input_counts_by_its_content_wherever_it_is_found_and_is_refused_by_name(copy: Copy) -> None:
    family = copy(declared)
    beside = family.folder / "recipes/toy/steps.csv"
    beside.write_text("2.0\n")
    assert family.missing() == 4
    (family.folder.parent / "data").mkdir()
    beside.write_text("1.0\n")
    beside.rename(family.folder.parent / "data/steps.csv")
    assert family.missing("--data-root", "data") == 0
    ended = family.run("run", "toy/walk-speed", "--profile", "smoke")
    assert (ended.code, ended.out) == (2, "")
    assert "toy/walk needs the file 'steps.csv', which its parameters name, and there is no " in ended.err
    assert not (family.folder.parent / "runs/toy/walk-speed/laptop").exists()


def test_an_input_that_is_not_declared_is_not_given(copy: Copy) -> None:
    family = copy(declared)
    family.edit(SIMULATION, "context.input(point.steps)", "context.input('step.csv')")
    ended = family.run("run", "toy/walk-speed", "--profile", "smoke", "-j", "1")
    assert ended.code == 3
    assert "the simulation asks for the file 'step.csv'; the files that parameters name: steps.csv" in ended.err


def test_reading_the_environment_is_said(copy: Copy) -> None:
    family = copy(
        lambda family: family.edit(
            SIMULATION, "    point = cell.point\n", "    os.environ.get('A')\n    point = cell.point\n"
        )
    )
    ended = family.run("run", "toy/walk-speed", "--profile", "smoke", "--dry-run")
    assert "simulation.py:17: the environment determines no address; make it a parameter" in ended.err


def test_unseeded_random_numbers_differ_from_the_store_and_the_first_value_is_shown(copy: Copy, tmp_path: Path) -> None:
    def unseeded(family: Family) -> None:
        family.edit(
            SIMULATION, '"end": place.double()}', '"end": place.double() + 1e-9 * np.random.random(len(seeds))}'
        )

    family = copy(unseeded)
    store = tmp_path / "runs/store"
    files = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    ended = family.run("check", "toy/walk-speed", "--profile", "smoke", "-j", "1", "--recompute")
    assert ended.code == 1, ended.err
    assert "1 stored cell computed again: 1 differ" in ended.out
    assert "toy/walk 0.0 0 0 0.0 float64 400 seeds 2..3: kind 'ends', column 'end', row 0: " in ended.out
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == files
    ended = family.run("check", "toy/walk-speed", "--profile", "smoke", "-j", "1", "--recompute", "all", "--json")
    recomputed = json.loads(ended.out)["recomputed"]
    assert (recomputed["cells"], len(recomputed["differences"])) == (4, 4)
    first = recomputed["differences"][0]
    assert first["stored"] != first["computed"]
    assert abs(first["stored"] - first["computed"]) < 1e-8


def test_what_is_seeded_is_the_same_and_what_is_asked_wrongly_is_refused(copy: Copy) -> None:
    family = copy()
    ended = family.run("check", "toy/walk-speed", "--profile", "smoke", "-j", "1", "--recompute", "3")
    assert (ended.code, "3 stored cells computed again: the same to the bit" in ended.out) == (0, True)
    for wrong in ("0", "some", "-1"):
        ended = family.run("check", "toy/walk-speed", "--profile", "smoke", "--recompute", wrong)
        assert (ended.code, ended.out) == (2, ""), wrong
    family.edit(SIMULATION, "+ point.drift)", "+ 1.0 * point.drift)")
    ended = family.run("check", "toy/walk-speed", "--profile", "smoke", "--recompute")
    assert ended.code == 2
    assert "none of the cells is stored here, by today's code" in ended.err


def test_show_says_which_part_of_the_address_has_changed(copy: Copy) -> None:
    family = copy()

    def why(*args: str) -> str:
        ended = family.run("show", "toy/walk-speed", "--profile", "smoke", "--why", *args)
        assert ended.code == 0, ended.err
        return " ".join(ended.out.partition(" stored")[2].split())  # without the columns of the table

    assert "Every cell is stored." in why()
    assert "parameter" in why("--set", "drift=0.5")
    assert "0.0 -> 0.5" in why("--set", "drift=0.5")
    assert "no stored cell is near" in why("--set", "drift=0.5", "--set", "pause=0.1", "--set", "dtype=float32")
    assert "8 seeds seeds [2, 3] -> [4, 5], ..." in why("--seeds", "12")
    family.edit(SIMULATION, "+ point.drift)", "+ 1.0 * point.drift)")
    (family.folder / "toy/offset.csv").write_text("1\n")
    changed = why()
    assert "code toy.walk.simulation changed" in changed
    assert "file toy/offset.csv added" in changed
    assert changed.count("walk") == 1
    ended = family.run("show", "toy/walk-speed", "--profile", "smoke", "--why", "--json")
    (reason,) = json.loads(ended.out)["missing"]
    assert (reason["cells"], [change["what"] for change in reason["changes"]]) == (4, ["code", "file"])


def test_a_simulation_that_is_no_python_is_told_with_its_line(copy: Copy) -> None:
    family = copy()
    family.edit(SIMULATION, "import numpy as np", "import numpy as")
    ended = family.run("run", "toy/walk-speed", "--profile", "smoke")
    assert (ended.code, ended.out) == (2, "")
    assert "toy/walk/simulation.py:8: is not Python: " in ended.err
