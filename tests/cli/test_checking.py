"""`check` and `plot` start from logs: what is missing costs itself alone; one seed is not judged; folders are run."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from resodectl import files


def counted(name: str, text: str) -> int:
    return text.lower().replace('"', " ").split().count(name)


def test_one_seed_gives_no_interval_and_breaks_nothing(shell, toy: Path, tmp_path: Path) -> None:
    run = ("toy", "-j", "1", "--seeds", "1", "--controls")
    ended = shell(*run, "--junit", "claims.xml")
    assert ended.code == 0, ended.err
    assert "no interval A walk without drift has no speed" in ended.out
    assert "(1 seed: no interval; take --seeds 2 or more); the band is [-0.2, 0.2]" in ended.out
    assert "control: 0.5" in ended.out
    assert "1 without an interval" in ended.out
    (found,) = json.loads(shell(*run, "--json").out)["recipes"][0]["claims"]
    assert (found["judgement"], found["control"]["state"]) == ("no interval", "no interval")
    assert (found["estimate"]["low"], found["estimate"]["units"]) == (None, 1)
    (suite,) = ElementTree.parse(tmp_path / "claims.xml").getroot()
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "2")
    assert all(
        "1 seed: no interval; take --seeds 2 or more" in skipped.get("message") for skipped in suite.iter("skipped")
    )
    for text in (ended.out, json.dumps(found)):
        assert not [word for word in ("broken", "unclear", "nan", "fails") if counted(word, text)]
    assert shell(*run, "--strict").code == 1  # what was asked for could not be judged
    assert shell("check", "walk-speed", "--seeds", "1").code == 1


def test_the_cells_of_controls_are_named_by_the_manifest_so_that_gc_keeps_them(
    shell, toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "mine.yaml"  # gc knows the cells of shipped recipes anyway
    copy.write_text(toy.read_text("utf-8").replace("drift: 0.5", "drift: 0.7"), "utf-8")
    assert shell("run", "./mine.yaml", "-j", "1").code == 0
    (path,) = (tmp_path / "runs").glob("toy/mine*/*/manifest.json")
    before = json.loads(path.read_bytes())
    assert "1/1 controls break" in shell("check", "./mine.yaml", "-j", "1", "--controls").out
    after = json.loads(path.read_bytes())
    assert (len(before["cells"]), len(after["cells"])) == (6, 12)
    assert {cell["address"] for cell in after["cells"]} == {
        cell.name.split(".")[0] for cell in (tmp_path / "runs/store").glob("??/*.parquet")
    }
    assert before | {"cells": 0, "seconds": 0} == after | {"cells": 0, "seconds": 0}
    monkeypatch.setattr("resodectl.engine.store.time.time", lambda: 4e9)
    assert shell("store", "gc").out == "0 cells deleted\n"
    written = path.stat().st_mtime_ns
    assert shell("check", "./mine.yaml", "--controls").code == 0
    assert path.stat().st_mtime_ns == written


def test_check_of_results_that_cannot_be_written_reports_and_exits_by_its_verdicts(
    shell, toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tmp_path / "walk-speed.yaml"
    own = toy.read_text("utf-8").replace("[4, 400, 4000]", "[4, 400]")
    recipe.write_text(own, "utf-8")
    assert shell("run", "./walk-speed.yaml", "-j", "1").code == 0

    def read_only(path: Path, data: bytes) -> None:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr(files, "write_atomically", read_only)
    monkeypatch.setattr("resodectl.files.require_writable", lambda folder, what: read_only(folder, b""))
    ended = shell("check", "./walk-speed.yaml")
    assert (ended.code, ended.err, "1/1 hold" in ended.out) == (0, "", True)
    recipe.write_text(own.replace("[-0.2, 0.2]", "[1, 2]"), "utf-8")
    ended = shell("check", "./walk-speed.yaml")
    assert (ended.code, "0/1 hold" in ended.out) == (1, True)
    assert ended.err.endswith("claims.json: not renewed (Read-only file system)\n")


def test_a_recipe_without_a_log_does_not_keep_the_others_from_their_report(shell, toy: Path, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_bytes(toy.read_bytes())
    assert shell("toy", "-j", "1").code == 0
    (tmp_path / "runs/toy/walk-speed/laptop/figure.png").unlink()
    for command in ("check", "plot"):
        ended = shell(command, "./other.yaml", "walk-speed")
        assert ended.code == 2
        assert "there is no log yet; run `resodectl run other.yaml --profile laptop` first" in ended.err
        assert "walk-speed" in ended.out
    document = json.loads(shell("plot", "./other.yaml", "walk-speed", "--json").out)
    assert document["exit_code"] == 2
    other, plain = document["recipes"]
    assert (other["figures"], len(other["errors"])) == ([], 1)
    assert plain == {
        "recipe": "toy/walk-speed", "figures": ["runs/toy/walk-speed/laptop/figure.png"], "errors": []
    }  # fmt: skip
    checked = json.loads(shell("check", "./other.yaml", "walk-speed", "--json").out)
    assert (checked["exit_code"], len(checked["errors"]), list(checked["claims"])) == (2, 1, ["toy/walk-speed"])


def test_the_recipes_of_a_folder_are_run(shell, toy: Path, tmp_path: Path) -> None:
    for name in ("mine/toy/one.yaml", "mine/two.yaml", "mine/.hidden/three.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(toy.read_bytes())
    document = json.loads(shell("run", "mine", "--dry-run", "--json").out)
    assert [recipe["recipe"] for recipe in document["recipes"]] == ["toy/two", "toy/one"]
    shown = shell("show", "mine")
    assert (shown.code, "mine: holds 2 recipes; show takes one" in shown.err) == (2, True)
    (tmp_path / "empty").mkdir()
    assert "empty: there is no recipe in this folder" in shell("run", "empty").err
    assert "'toy' is a family; run all its recipes with `resodectl toy`" in shell("run", "toy").err


def test_the_table_tells_wall_time_from_the_time_of_cells_and_what_was_not_run(shell, toy: Path) -> None:
    ended = shell("toy", "-j", "1")
    assert "1/1 hold, 1 control not run" in ended.out
    assert " s in all; computing took " in ended.out.splitlines()[-1]
    document = json.loads(shell("toy", "-j", "1", "--json").out)
    assert document["wall_seconds"] > 0
    assert document["recipes"][0]["seconds"] == 0


def test_quiet_prints_the_closing_table_only(shell, toy: Path) -> None:
    for command in (("toy", "-j", "1", "-q"), ("check", "walk-speed", "-q")):
        ended = shell(*command)
        assert (ended.code, ended.err) == (0, "")
        assert "1/1 hold" in ended.out
        assert "A walk without drift has no speed" not in ended.out
