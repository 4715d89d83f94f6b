"""The page of a gallery: what it shows, what it leaves out, and when it is written."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from resodectl.runs import gallery

CLAIM: dict[str, Any] = {
    "says": "The |x| of 3 < 4 costs $1\nand a *star*",
    "judgement": "holds",
    "gate": True,
    "estimate": {"value": -1.0031, "low": -1.01, "high": -0.996, "units": 8, "method": "student"},
    "within": [-1.1, None],
    "control": {
        "state": "breaks",
        "because": "the weights must be smooth",
        "estimate": {"value": -3, "low": -3, "high": -3, "units": 0, "method": "exact"},
    },
}


def put(figures: Path, name: str, *claims: dict[str, Any], ending: str = ".json", **about: Any) -> None:
    """A picture with its verdicts."""
    path = figures / f"{name}{ending}"
    path.parent.mkdir(parents=True, exist_ok=True)
    (figures / f"{name}.png").write_bytes(b"a picture")
    facts = {"title": "A figure", "figure": "Figure 1", "paper": "A. One: Notes, 2026", "deviations": []}
    document = {**facts, "because": None, "departs": None, "claims": claims, **about}
    path.write_text(json.dumps(document), "utf-8")


def test_it_shows_each_claim_in_a_row_with_its_estimate_band_and_verdicts(tmp_path: Path) -> None:
    put(tmp_path, "heun/one", CLAIM, deviations=["depths: 8 (paper: 16)"], because="time", departs="no images")
    text = gallery.page(tmp_path)
    assert text is not None
    assert "\n## heun\n\nHeun networks: what a second-order scheme changes" in text
    assert "![A figure](heun/one.png)" in text
    assert "A. One: Notes, 2026; Figure 1." in text
    assert "Differs from the paper: depths: 8 (paper: 16). Reason: time. Even the paper profile departs" in text
    assert "1 of 1 claims hold; 1 of 1 controls break their claim." in text
    row = (
        r"| The \|x\| of 3 \< 4 costs \$1 and a \*star\* | -1.003 \[-1.010, -0.996\] | \[-1.1, inf) | holds "
        r"| breaks at -3: the weights must be smooth |"
    )
    assert row in text.splitlines()


def test_it_tells_apart_what_is_reported_only_without_rows_unclear_and_not_run(tmp_path: Path) -> None:
    control = {"state": "not run", "because": "why", "estimate": None}
    lost = {"value": 1.0, "low": None, "high": None, "units": 1, "method": "student"}
    put(
        tmp_path,
        "heun/one",
        {**CLAIM, "gate": False, "because": "it is slow"},
        {**CLAIM, "judgement": "no rows", "estimate": None, "control": control},
        {**CLAIM, "judgement": "unclear", "estimate": lost},
    )
    text = gallery.page(tmp_path)
    assert text is not None
    assert "| holds, only reported: it is slow |" in text
    assert "| no rows | \\[-1.1, inf) | no rows | not run: why |" in text
    assert "| 1 \\[?, ?\\] |" in text
    assert (
        "0 of 1 claims hold, 1 more is only reported, 1 with no rows; 2 of 2 controls break their claim, 1 not run."
        in text
    )


def test_it_shows_and_counts_each_of_several_controls(tmp_path: Path) -> None:
    further = {**CLAIM["control"], "because": "no training"}
    put(tmp_path, "heun/one", {**CLAIM, "further_controls": [further]})
    text = gallery.page(tmp_path)
    assert text is not None
    assert "| breaks at -3: the weights must be smooth<br>breaks at -3: no training |" in text
    assert "1 of 1 claims hold; 2 of 2 controls break their claim." in text


def test_a_figure_without_claims_says_so_and_the_papers_own_setting_is_told_apart(tmp_path: Path) -> None:
    put(tmp_path, "heun/one")
    put(tmp_path, "heun/two", CLAIM)
    put(tmp_path, "heun/two", CLAIM, CLAIM, ending=".paper.json")
    text = gallery.page(tmp_path)
    assert text is not None
    assert "The paper's own setting.\n\nNothing is claimed.\n" in text
    assert "| [heun/one](#heunone) | A figure | nothing is claimed | nothing is claimed |" in text
    assert "| [heun/two](#heuntwo) | A figure | 1 of 1 | 2 of 2 |" in text
    assert "At the paper's own setting: 2 of 2 claims hold" in text


def test_what_lacks_its_picture_or_its_verdicts_is_left_out_and_families_that_are_not_loaded_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("whole", "unpictured", "unjudged", "old", "torn", "misshapen")
    for name in (*(f"heun/{name}" for name in names), "toy/other"):
        put(tmp_path, name, CLAIM)
    (tmp_path / "heun/unpictured.png").unlink()
    (tmp_path / "heun/unjudged.json").unlink()
    (tmp_path / "heun/old.json").write_text('{"recipe": "heun/old", "claims": []}')
    (tmp_path / "heun/torn.json").write_text('{"recipe": ')
    put(tmp_path, "heun/misshapen", {"says": "A claim without verdict"}, title=3)
    text = gallery.page(tmp_path)
    assert text is not None
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == ["# Figures", "## heun", "### heun/whole", "## toy", "### toy/other"]
    warned = capsys.readouterr().err
    assert "heun/old.json is left out of the gallery; run its recipe again" in warned
    assert "heun/torn.json is left out" in warned
    assert "heun/misshapen.json is left out" in warned
    assert "unjudged" not in warned


def test_it_is_written_only_if_it_says_something_else(tmp_path: Path) -> None:
    gallery.write(tmp_path)
    assert list(tmp_path.iterdir()) == []
    put(tmp_path, "heun/one", CLAIM)
    gallery.write(tmp_path)
    before = (tmp_path / "README.md").stat().st_mtime_ns
    gallery.write(tmp_path)
    assert (tmp_path / "README.md").stat().st_mtime_ns == before
    put(tmp_path, "heun/two")
    gallery.write(tmp_path)
    assert "### heun/two" in (tmp_path / "README.md").read_text("utf-8")


def test_a_readers_own_readme_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "README.md").write_text("# My paper\n")
    put(tmp_path, "heun/one", CLAIM)
    gallery.write(tmp_path)
    assert (tmp_path / "README.md").read_text("utf-8") == "# My paper\n"
    assert "README.md is left alone" in capsys.readouterr().err


def test_an_unmodified_laptop_run_writes_it_and_any_other_says_that_it_does_not(
    shell, toy: Path, tmp_path: Path
) -> None:
    page = tmp_path / "gallery/README.md"
    for options in (("--profile", "smoke"), ("--seeds", "6")):
        ended = shell("toy", "-j", "1", *options, "--figures", "gallery")
        assert ended.code == 0
        assert "warning: the gallery shows unmodified laptop runs, and not this one of toy/walk-speed" in ended.err
        assert not page.exists()
    ended = shell("toy", "-j", "1", "--figures", "gallery", "--set", "drift=0")
    assert "warning" not in ended.err
    assert "| holds | not run: the walk must have no drift |" in page.read_text("utf-8")
    assert shell("toy", "-j", "1", "--controls", "--figures", "gallery").code == 0
    assert "1 of 1 claims hold; 1 of 1 controls break their claim." in page.read_text("utf-8")


def test_it_imports_neither_torch_nor_matplotlib() -> None:
    code = "import sys, resodectl.runs.gallery; assert not {'torch', 'matplotlib', 'seaborn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
