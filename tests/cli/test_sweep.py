"""`resodectl sweep` with a random walk, whose speed is its drift."""

import json
from pathlib import Path

import pandas as pd
import pytest

SWEEP = ("sweep", "walk-speed", "-j", "1", "--set", "lengths=[400, 4000]")


def drifts(shell, *more: str):
    return shell(*SWEEP, "--over", "drift=-0.5..0.5/5", *more)


def test_a_sweep_shows_where_a_claim_holds(shell, toy: Path, tmp_path: Path) -> None:
    ended = drifts(shell)
    assert ended.code == 0, ended.err
    assert "A walk without drift has no speed" in ended.out
    changes = "changes between -0.25 and 0.0, between 0.0 and 0.25"
    assert f"fails from -0.5 to -0.25, holds at 0.0, fails from 0.25 to 0.5; {changes}" in ended.out
    (folder,) = (tmp_path / "runs/toy").glob("walk-speed*/sweep-drift-*")
    table = pd.read_parquet(folder / "sweep.parquet")
    assert list(table["at.drift"]) == [-0.5, -0.25, 0.0, 0.25, 0.5]
    assert list(table["verdict"]) == ["fails", "fails", "holds", "fails", "fails"]
    assert (table["estimate"] - table["at.drift"]).abs().max() < 0.05
    assert table["low"].lt(table["estimate"]).all()
    assert set(table["units"]) == {4}
    assert list(table.loc[0, ["claim", "measure", "band_low", "band_high"]]) == [1, "speed", -0.2, 0.2]
    assert (folder / "01-speed.png").read_bytes().startswith(b"\x89PNG")
    about = json.loads((folder / "manifest.json").read_bytes())
    assert about["over"] == {"drift": [-0.5, -0.25, 0.0, 0.25, 0.5]}
    assert len(about["cells"]) == 5 * 2 * 2  # lengths, blocks of seeds


def test_a_sweep_shares_cells_goes_on_where_it_stopped_and_changes_nothing_when_it_is_run_again(
    shell, toy: Path, tmp_path: Path
) -> None:
    assert shell("run", "walk-speed", "-j", "1", "--set", "lengths=[400, 4000]").code == 0
    ended = drifts(shell, "--dry-run", "--json")
    assert json.loads(ended.out) == {"recipe": "toy/walk-speed", "points": 5, "cells": 20, "to_compute": 16}
    assert "20     4       16" in drifts(shell, "--dry-run").out
    parts = [drifts(shell, "--shard", f"{part}/2") for part in (1, 2)]
    assert ["8 cells computed, 8 of all still missing" in parts[0].out, "8 cells computed, 0 of all" in parts[1].out]
    assert not list((tmp_path / "runs/toy").glob("walk-speed*/sweep-*"))
    assert drifts(shell).code == 0
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*") if path.is_file()}
    assert drifts(shell).code == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*") if path.is_file()} == written


def test_the_controls_of_a_sweep_are_run_at_each_point(shell, toy: Path, tmp_path: Path) -> None:
    assert drifts(shell, "--controls").code == 0  # with the drift of the control every point is the same
    (path,) = (tmp_path / "runs/toy").glob("walk-speed*/sweep-drift-*/sweep.parquet")
    table = pd.read_parquet(path)
    assert list(table["controls_breaking"]) == [1] * 5
    assert list(table["controls_broken"]) == [0] * 5
    assert len(json.loads((path.parent / "manifest.json").read_bytes())["cells"]) == 20


def test_two_parameters_make_a_map(shell, toy: Path, tmp_path: Path) -> None:
    over = ("--over", "drift=0,0.3", "--over", "lengths=[400],[400, 4000]")
    ended = shell("sweep", "walk-speed", "-j", "1", *over, "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert [(point["at"]["drift"], point["at"]["lengths"]) for point in found["points"]] == [
        (0, [400]), (0, [400, 4000]), (0.3, [400]), (0.3, [400, 4000])
    ]  # fmt: skip
    assert [point["judgement"] for point in found["points"]] == ["holds", "holds", "fails", "fails"]
    (figure,) = found["figures"]["1"]
    assert (tmp_path / figure).read_bytes().startswith(b"\x89PNG")
    assert list(pd.read_parquet(tmp_path / found["table"])["at.lengths"]) == ["[400]", "[400, 4000]"] * 2
    text = shell("sweep", "walk-speed", "-j", "1", *over).out
    assert "holds at 2, fails at 2 of 4 points" in text


def test_a_point_that_fails_costs_itself_alone(shell, toy: Path, tmp_path: Path) -> None:
    ended = shell("sweep", "walk-speed", "-j", "1", "--over", "fail_at=0,4,7")
    assert ended.code == 3
    assert "the walk fell off a cliff" in ended.err
    assert "holds at 0, error at 4, holds at 7" in ended.out
    (path,) = (tmp_path / "runs/toy").glob("walk-speed*/sweep-*/sweep.parquet")
    table = pd.read_parquet(path)
    assert list(table["error"].notna()) == [False, True, False]


def test_points_without_an_interval_or_rows_are_drawn_too(shell, toy: Path) -> None:
    ended = shell("sweep", "walk-speed", "-j", "1", "--over", "lengths=[4],[400]", "--seeds", "1")
    assert ended.code == 0, ended.err
    assert "no rows at [4], no interval at [400]" in ended.out


def test_the_edge_is_found_by_bisection_with_fresh_seeds(shell, toy: Path) -> None:
    edge = ("sweep", "walk-speed", "-j", "1", "--set", "lengths=[4000]", "--edge", "drift=0..1", "--claim", "speed")
    ended = shell(*edge, "--width", "0.2", "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    low, high = found["bracket"]
    assert low - 0.05 < 0.2 < high + 0.05
    assert high - low <= 0.2 * (low + high) / 2
    assert found["cells"] == 2 * len(found["tried"])
    seeds = [line.split("seeds from ")[1].split(":")[0] for line in ended.err.splitlines()]
    assert seeds == [str(4 * step) for step in range(len(seeds))]
    assert "The estimate crosses the edge of [-0.2, 0.2] between drift" in shell(*edge, "--width", "0.5").out


def test_a_folder_of_several_recipes_is_refused(shell, toy: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(toy.read_text("utf-8"), "utf-8")
    ended = shell("sweep", ".", "--over", "drift=0,1")
    assert (ended.code, ended.err) == (2, "resodectl: .: holds 2 recipes; sweep one at a time\n")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "give either --over KEY=VALUES, or --edge"),
        (("--over", "drift=0,1", "--edge", "drift=0..1", "--claim", "1"), "give either"),
        (("--edge", "drift=0..1"), "--edge needs --claim NAME"),
        (("--over", "drift=0,1", "--claim", "1"), "--claim belongs to --edge"),
        (("--over", "drift=0,1", "--claims", "sped"), "did you mean 'speed'?"),
        (("--over", "drift=0,1", "--claims", "2"), "has no such claim"),
        (("--over", "drft=0,1"), "did you mean 'drift'?"),
        (("--over", "drift=a,b"), "params.drift"),
        (("--over", "drift=0,1", "--over", "drift=2,3"), "is swept twice"),
        (("--over", "drift=0,1", "--over", "pause=0,1", "--over", "fail_at=0,1"), "at most 2 parameters"),
        (("--over", "drift=0..1/200", "--over", "pause=0..1/200"), "40000 points are too many"),
        (("--over", "drift=0,1", "--set", "drift=3"), "contradict each other"),
        (("--over", "drift=0,1", "--shard", "3/2"), "--shard 3/2"),
        (("--edge", "drift=0..1", "--claim", "1", "--dry-run"), "takes neither --shard nor --dry-run"),
        (("--edge", "drift=0..0.001", "--claim", "1"), "the claim holds at 0.0 and holds at 0.001"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_sentence(shell, toy: Path, tmp_path: Path, args: tuple[str, ...], says: str) -> None:
    ended = shell("sweep", "walk-speed", "-j", "1", "-q", "--set", "lengths=[400]", *args)
    assert ended.code == 2
    assert says in ended.err
    assert len(ended.err.splitlines()) == 1
    assert ended.out == ""
    assert not list((tmp_path / "runs").glob("toy/*/sweep*"))
