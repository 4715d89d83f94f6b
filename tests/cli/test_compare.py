"""`resodectl compare` with a random walk: what differs is said, and only that."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

RUN = ("run", "walk-speed", "-j", "1", "-q", "--set", "lengths=[400, 4000]")


@pytest.fixture
def walked(shell, toy: Path, tmp_path: Path) -> Path:
    assert shell(*RUN, "--out", "one").code == 0
    return tmp_path / "one"


def compared(shell, *args: str):
    ended = shell("compare", *args, "--json")
    assert not ended.err, ended.err
    return ended.code, json.loads(ended.out)


def changed(folder: Path, change) -> Path:
    """A copy of a folder of results whose one document of verdicts was changed."""
    copy = folder.with_name("two")
    shutil.copytree(folder, copy)
    (path,) = copy.glob("*/*/*/claims.json")
    content = json.loads(path.read_bytes())
    change(content)
    path.write_text(json.dumps(content), "utf-8")
    return copy


def test_equal_results_agree(shell, walked: Path, tmp_path: Path) -> None:
    assert shell(*RUN, "--out", "two", "--store", "other").code == 0
    code, found = compared(shell, "one", "two")
    assert (code, found["gone"], found["new"]) == (0, [], [])
    (pair,) = found["recipes"]
    assert (pair["same_log"], pair["settings"], pair["changes"], pair["claims"]) == (True, {}, [], 1)
    text = shell("compare", "one", "two").out
    assert text == (
        "1 runs compared; verdicts that differ: 0; estimates that moved by more than their intervals: 0; "
        "1 of 1 logs are the same bits\n"
    )


def test_a_changed_setting_is_named_with_the_verdict_that_it_changes(shell, walked: Path, tmp_path: Path) -> None:
    assert shell(*RUN, "--out", "two", "--set", "drift=0.5").code == 0
    code, found = compared(shell, "one", "two", "--junit", "claims.xml")
    assert code == 1
    (pair,) = found["recipes"]
    assert pair["settings"]["overrides"]["after"] == ["--set drift=0.5", "--set lengths=[400, 4000]"]
    (change,) = pair["changes"]
    assert (change["verdict_differs"], change["moved"], change["band_differs"]) == (True, True, False)
    assert [change[side]["judgement"] for side in ("before", "after")] == ["holds", "fails"]
    (suite,) = ElementTree.parse(tmp_path / "claims.xml").getroot()
    (case,) = suite
    assert case.get("name") == "1 A walk without drift has no speed"
    assert case[0].get("message").startswith("verdict: holds")
    text = shell("compare", "one", "two").out
    assert "verdict  1 A walk without drift has no speed" in text
    assert "verdicts that differ: 1" in text


def test_fresh_seeds_move_no_estimate_by_more_than_its_interval(shell, walked: Path) -> None:
    assert shell(*RUN, "--out", "two", "--first-seed", "100").code == 0
    code, found = compared(shell, "one", "two")
    (pair,) = found["recipes"]
    assert (code, pair["same_log"], pair["changes"]) == (0, False, [])
    assert "--first-seed 100" in pair["settings"]["overrides"]["after"]


@pytest.mark.parametrize(
    ("change", "code", "what"),
    [
        (lambda claim: claim["estimate"].update(value=0.1, low=0.09, high=0.11), 0, "moved"),
        (lambda claim: claim.update(within=[-0.3, 0.3]), 0, "band_differs"),
        (lambda claim: claim["control"].update(state="broken"), 0, None),  # it was not run before
        (lambda claim: claim.update(judgement="unclear"), 1, "verdict_differs"),
        (lambda claim: claim.update(says="In other words"), 0, None),
    ],
)
def test_what_changed_in_a_claim_is_told_apart(shell, walked: Path, change, code: int, what: str | None) -> None:
    changed(walked, lambda content: change(content["claims"][0]))
    found_code, found = compared(shell, "one", "two")
    flags = [
        name
        for of_claim in found["recipes"][0]["changes"]
        for name in ("verdict_differs", "moved", "band_differs")
        if of_claim[name]
    ]
    assert (found_code, flags) == (code, [what] if what else [])


def test_a_control_that_no_longer_breaks_its_claim_is_a_verdict_that_differs(shell, toy: Path, tmp_path: Path) -> None:
    assert shell(*RUN, "--out", "one", "--controls").code == 0
    changed(tmp_path / "one", lambda content: content["claims"][0]["control"].update(state="broken"))
    assert shell("compare", "one", "two").code == 1


def test_what_is_gone_is_told_and_what_is_new_is_no_fault(shell, walked: Path, tmp_path: Path) -> None:
    changed(walked, lambda content: content.update(claims=[]))
    code, found = compared(shell, "one", "two")
    assert (code, [change["after"] for change in found["recipes"][0]["changes"]]) == (1, [None])
    assert compared(shell, "two", "one")[0] == 0
    (path,) = (tmp_path / "two").glob("*/*/*/claims.json")
    content = json.loads(path.read_bytes())
    path.write_text(json.dumps({**content, "recipe": "toy/another"}), "utf-8")
    code, found = compared(shell, "one", "two")
    assert (code, len(found["gone"]), found["new"]) == (1, 1, ["toy/another (laptop) --set lengths=[400, 4000]"])


def test_a_gallery_is_compared_like_a_folder_of_results(shell, toy: Path, tmp_path: Path) -> None:
    assert shell("run", str(toy), "-j", "1", "-q", "--figures", "gallery").code == 0
    code, found = compared(shell, "gallery", "runs")  # six digits are no move
    assert (code, len(found["recipes"]), found["recipes"][0]["changes"]) == (0, 1, [])
    assert found["recipes"][0]["same_log"] is None


@pytest.mark.parametrize(
    ("name", "says"), [("nowhere", "there is no such folder"), (".", "there are no verdicts here")]
)
def test_what_holds_no_results_is_refused(shell, toy: Path, tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "odd.json").write_text("[1]")
    ended = shell("compare", name, name)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err
