"""`show EXPERIMENT` and `list --experiments`: what a recipe may say of an experiment, without reading its code."""

import json
from pathlib import Path

import pytest

from resodectl.experiment import catalogue


def test_an_experiment_is_shown_with_its_params_columns_measures_and_drawings(shell, toy: Path) -> None:
    ended = shell("show", "toy/walk")
    assert ended.code == 0, ended.err
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    for line in (
        "toy/walk: Random walks by length, with a drift.",
        "drift number 0.0 mean of a step",
        'dtype float32 | float64 "float64" floating-point type',
        "lengths list of integer steps lengths of the walk",
        "rows of the kind 'paths':",
        "half string which half of the walk",
        "scaled factor: number The speed, times a factor.",
        "powers: list of integer = [1]",
        "shift: number | null = null",
    ):
        assert line in lines
    facts = json.loads(shell("show", "toy/walk", "--json").out)
    assert [measure["name"] for measure in facts["measures"]] == ["speed", "scaled", "place"]
    assert facts["measures"][1]["options"] == ["factor: number"]
    assert [drawing["name"] for drawing in facts["drawings"]] == ["ends"]
    assert facts["log"]["ends"][0] == {
        "name": "length",
        "dtype": "int64",
        "unit": "steps",
        "meaning": "length of the walk",
    }


@pytest.mark.parametrize("name", catalogue.experiments())
def test_every_experiment_is_shown_and_says_what_each_of_its_measures_and_drawings_is(name: str, shell) -> None:
    facts = json.loads(shell("show", name, "--json").out)
    assert all(shown["meaning"] for key in ("params", "measures", "drawings") for shown in facts[key])
    assert shell("show", name).code == 0


def test_experiments_are_listed_and_a_broken_one_costs_its_own_line(shell, toy: Path, tmp_path: Path) -> None:
    listed = shell("list", "--experiments", "toy", "eos")
    lines = [" ".join(line.split()) for line in listed.out.splitlines()]
    assert "toy/walk Random walks by length, with a drift." in lines
    assert "heun" not in listed.out
    assert {"experiment": "toy/walk", "about": "Random walks by length, with a drift."} in json.loads(
        shell("list", "--experiments", "--json").out
    )
    (tmp_path / "mine/broken/walk").mkdir(parents=True)
    (tmp_path / "mine/broken/walk/spec.py").write_text("1/0\n")
    ended = shell("--plugins", "mine", "list", "--experiments")
    assert ended.code == 0
    assert "toy/walk" in ended.out
    assert "broken/walk cannot be imported: ZeroDivisionError" in ended.err


def test_no_shipped_recipe_has_the_name_of_an_experiment() -> None:
    assert not set(catalogue.shipped()) & set(catalogue.experiments())
