"""Where results go: no recipe replaces the results of another that only has its name, whatever its file is called."""

import json
import shlex
from pathlib import Path
from xml.etree import ElementTree

import pytest

SHIPPED = "runs/toy/walk-speed/smoke"


def edited(toy: Path, path: Path, *changes: tuple[str, str]) -> Path:
    """A copy of the recipe of the toy, changed."""
    text = toy.read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def run(shell, *args: str) -> Path:
    """The folder of the results of a run."""
    ended = shell("run", *map(str, args), "--profile", "smoke", "-j", "1", "--json")
    assert ended.code == 0, ended.err
    (result,) = json.loads(ended.out)["recipes"]
    return Path(result["folder"])


def test_an_edited_copy_leaves_the_results_of_the_shipped_recipe_alone(shell, toy: Path, tmp_path: Path) -> None:
    assert str(run(shell, "walk-speed")) == SHIPPED
    before = {path: path.read_bytes() for path in (tmp_path / SHIPPED).iterdir()}
    copies = [
        edited(toy, tmp_path / "a/walk-speed.yaml", ("  seeds: 4", "  seeds: 6")),
        edited(toy, tmp_path / "b/walk-speed.yaml", ("[-0.2, 0.2]", "[-0.3, 0.2]")),
        edited(toy, tmp_path / "c/walk-speed.yaml", ("[4, 400]", "[4, 40, 400]")),
    ]
    folders = [run(shell, copy) for copy in copies]
    assert len({*map(str, folders), SHIPPED}) == 4
    assert all(str(folder).startswith("runs/toy/walk-speed@") for folder in folders)
    assert {path: path.read_bytes() for path in (tmp_path / SHIPPED).iterdir()} == before
    for named, folder in (("walk-speed", Path(SHIPPED)), *zip(map(str, copies), folders, strict=True)):
        (tmp_path / folder / "figure.png").unlink()
        plotted = shell("plot", named, "--profile", "smoke")
        assert (plotted.code, plotted.out) == (0, f"{folder / 'figure.png'}\n"), plotted.err
        assert shell("check", named, "--profile", "smoke").code in (0, 1)


def test_a_copy_that_says_the_same_shares_the_folder(shell, toy: Path, tmp_path: Path) -> None:
    same = edited(toy, tmp_path / "walk-speed.yaml", ("family: toy", "# mine\nfamily: toy"), ("0.5", "5.0e-1"))
    assert str(run(shell, same)) == SHIPPED
    because = edited(toy, tmp_path / "other/walk-speed.yaml", ("for tests", "for my tests"))
    assert str(run(shell, because)) != SHIPPED


def test_recipes_of_one_name_in_two_folders_keep_their_results_apart(shell, toy: Path, tmp_path: Path) -> None:
    one = edited(toy, tmp_path / "one/mine.yaml")
    two = edited(toy, tmp_path / "two/mine.yaml", ("  seeds: 4", "  seeds: 2"))
    assert run(shell, one) != run(shell, two)
    claimed = edited(toy, tmp_path / "one/mine.yaml", ("[-0.2, 0.2]", "[-0.3, 0.2]"))
    assert run(shell, claimed) != run(shell, two)


@pytest.mark.parametrize("name", ["größe 図 it's", "-x", "a b", "x;y$z", "[x]"])
def test_a_recipe_may_be_called_anything(shell, toy: Path, tmp_path: Path, name: str) -> None:
    path = edited(toy, tmp_path / f"{name}.yaml", ("The speed", "Größe 図, the speed"))
    absent = shell("plot", str(path), "--profile", "smoke")
    assert absent.code == 2
    command = shlex.split(absent.err.split("`")[1])
    ended = shell(*command[1:], "-j", "1", "--figures", "fig ures", "--junit", "a b.xml", "--format", "png,svg")
    warned = [line for line in ended.err.splitlines() if "arning" in line]
    assert (ended.code, len(warned)) == (0, 2), ended.err
    assert "the font lacks 図, drawn as boxes" in warned[0]
    assert warned[1].startswith("warning: the gallery shows unmodified laptop runs")
    assert shell(*command[1:], "-j", "1", "--dry-run").code == 0
    assert shell("plot", str(path), "--profile", "smoke").code == 0
    assert shell("check", str(path), "--profile", "smoke").code in (0, 1)
    (suite,) = ElementTree.parse(tmp_path / "a b.xml").getroot()
    assert suite.get("name") == f"toy/{name}"


def test_the_commands_of_messages_can_be_pasted(shell, toy: Path, tmp_path: Path) -> None:
    path = edited(toy, tmp_path / "a b.yaml")
    refused = shell("heun", str(path))
    assert shlex.split(refused.err.split("`")[1]) == ["resodectl", "toy", str(path)]
    written = shell("init", "my recipes", "--family", "toy")
    assert "`resodectl run 'my recipes/toy/walk-speed.yaml'`" in written.out


def test_a_gallery_holds_the_formats_that_are_asked_for_under_the_names_of_the_recipes(
    shell, toy: Path, tmp_path: Path
) -> None:
    path = edited(toy, tmp_path / "a b.yaml", ("[4, 400, 4000]", "[4, 400]"))
    ended = shell("run", str(path), "-j", "1", "--figures", "figures", "--format", "pdf")
    assert ended.code == 0, ended.err
    names = {file.name for file in (tmp_path / "figures/toy").iterdir()}
    assert names == {"a b.png", "a b.pdf", "a b.json"}
    assert "![The speed of a random walk](toy/a%20b.png)" in (tmp_path / "figures/README.md").read_text("utf-8")
    assert shell("run", str(path), "-j", "1", "--figures", "figures", "--format", "svg").code == 0
    assert {file.suffix for file in (tmp_path / "figures/toy").iterdir()} == {".png", ".pdf", ".svg", ".json"}


@pytest.mark.parametrize("option", ["--store", "--out", "--figures"])
def test_results_do_not_go_into_the_folder_of_a_family(
    shell, known_families: None, tmp_path: Path, option: str
) -> None:
    assert shell("new", "mine/far").code == 0
    before = sorted((tmp_path / "plugins").rglob("*.*"))
    ended = shell("--plugins", "plugins", "mine", "-j", "1", "--profile", "smoke", option, "plugins/mine/far/results")
    assert ended.code == 2
    assert f"{option} plugins/mine/far/results: is inside the family 'mine', all of whose files" in ended.err
    assert sorted(path for path in (tmp_path / "plugins").rglob("*.*") if path.suffix != ".pyc") == before
