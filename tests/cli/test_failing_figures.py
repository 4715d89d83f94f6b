"""A figure that cannot be drawn, laid out or saved costs itself alone: its verdicts are shown, the next is drawn."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[1] / "plugins"
ANALYSIS = """
import sys
from matplotlib.figure import Figure
from resodectl.claims.estimate import per_seed


def measure_speed(rows):
    {measure}
    return per_seed(rows, lambda rows: (rows["end"] / rows["length"]).mean())


def draw_ends(log, recipe):
    figure = Figure()
    ax = figure.subplots()
    {draw}
    return figure


def fall(value, place):
    raise ValueError("there is no ink")


def leave(value, place):
    sys.exit(0)
"""
DRAWINGS = {
    "a drawing that fails": ("fall(0, 0)", "draw_ends of mine/walk failed: ValueError: there is no ink"),
    "a layout that fails": (
        "ax.xaxis.set_major_formatter(fall)",
        "its figure cannot be laid out: ValueError: there is no ink",
    ),
    "a layout that ends the process": ("ax.xaxis.set_major_formatter(leave)", "cannot be laid out: SystemExit"),
    "a title that is no mathematics": ("ax.set_title('$x_$')", "its figure cannot be laid out: ValueError"),
}


@pytest.fixture
def mine(tmp_path: Path, toy: Path) -> Callable[..., tuple[str, ...]]:
    """Makes the family `mine`, of which one recipe fails; gives the command that runs it and the toy's recipe."""

    def make(draw: str = "", measure: str = "") -> tuple[str, ...]:
        shutil.copytree(PLUGINS / "toy", tmp_path / "mine/mine")
        (tmp_path / "mine/mine/walk/analysis.py").write_text(ANALYSIS.format(draw=draw, measure=measure))
        recipe = toy.read_text("utf-8").replace("family: toy", "family: mine").replace("toy/walk", "mine/walk")
        (tmp_path / "mine/recipes/mine").mkdir(parents=True)
        (tmp_path / "mine/recipes/mine/failing.yaml").write_text(recipe)
        return ("--plugins", "mine", "run", "mine/failing", "toy/walk-speed", "-j", "1", "--controls")

    return make


@pytest.mark.parametrize("what", DRAWINGS)
def test_its_verdicts_are_written_and_shown_with_the_error_beside_them(shell, mine, tmp_path: Path, what: str) -> None:
    draw, says = DRAWINGS[what]
    ended = shell(*mine(draw), "--junit", "claims.xml")
    assert ended.code == 3
    assert "Traceback" not in ended.out + ended.err
    shown = ended.out.split("toy/walk-speed (laptop)")[0]
    assert "holds   A walk without drift has no speed" in shown
    assert "control breaks" in shown
    assert says in next(line for line in shown.splitlines() if line.startswith("  error "))
    assert "1/1 hold, 1/1 controls break" in next(line for line in ended.err.splitlines() if "mine/failing: " in line)
    folder = tmp_path / "runs/mine/failing/laptop"
    assert {path.name for path in folder.iterdir()} == {
        "claims.json",
        "manifest.json",
        "log-ends.parquet",
        "log-paths.parquet",
    }
    assert json.loads((folder / "claims.json").read_text("utf-8"))["claims"][0]["judgement"] == "holds"
    assert (tmp_path / "runs/toy/walk-speed/laptop/figure.png").exists()
    junit = (tmp_path / "claims.xml").read_text("utf-8")
    assert 'failures="0" errors="1"' in junit
    assert "A walk without drift has no speed" in junit


def test_check_works_afterwards_and_plot_draws_the_others(shell, mine, tmp_path: Path) -> None:
    command = mine("fall(0, 0)")
    assert shell(*command).code == 3
    assert "1/1 hold" in shell("check", "mine/failing").out
    (tmp_path / "runs/toy/walk-speed/laptop/figure.png").unlink()
    ended = shell("plot", "mine/failing", "toy/walk-speed")
    assert (ended.code, ended.out) == (3, "runs/toy/walk-speed/laptop/figure.png\n")
    assert "draw_ends of mine/walk failed: ValueError: there is no ink" in ended.err
    assert shell(*command).code == 3
    (found, _) = json.loads(shell(*command, "--json", "--quiet").out)["recipes"]
    assert (found["claims"][0]["judgement"], found["figures"], len(found["errors"])) == ("holds", [], 1)
    assert found["cells"] == {"computed": 0, "reused": 12}


def test_a_measure_that_fails_costs_the_verdicts_alone(shell, mine, tmp_path: Path) -> None:
    ended = shell(*mine(measure="raise KeyError('speed')"))
    assert ended.code == 3
    assert "mine/failing: no verdicts" in ended.err
    assert "measure_speed of mine/walk failed: KeyError" in ended.out
    assert (tmp_path / "runs/mine/failing/laptop/figure.png").exists()
    ended = shell("check", "mine/failing", "toy/walk-speed", "--junit", "claims.xml")
    assert ended.code == 3
    assert "measure_speed of mine/walk failed: KeyError" in ended.out
    assert "1/1 hold" in ended.out
    assert "KeyError" in (tmp_path / "claims.xml").read_text("utf-8")
    checked = json.loads(shell("check", "mine/failing", "toy/walk-speed", "--json").out)
    assert (checked["exit_code"], len(checked["errors"]), len(checked["claims"]["toy/walk-speed"])) == (3, 1, 1)


def test_a_figure_that_cannot_be_written_costs_itself_alone(shell, toy: Path, tmp_path: Path) -> None:
    (tmp_path / "runs/toy/walk-speed/laptop/figure.png").mkdir(parents=True)
    for command in (("toy", "-j", "1"), ("plot", "walk-speed")):
        ended = shell(*command)
        assert ended.code == 3
        assert "walk-speed.yaml: its figure" in ended.out + ended.err
        assert "cannot be written (Is a directory)" in ended.out + ended.err
    assert shell("check", "walk-speed").code == 0
