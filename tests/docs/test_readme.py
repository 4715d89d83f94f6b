"""What README and docs show is so: the figures and their verdicts, the links, and every command.

`python tests/docs/test_readme.py` writes the figures with their verdicts again.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from resodectl.experiment.catalogue import families, shipped
from resodectl.runs import gallery

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md")), ROOT / "figures/README.md", ROOT / "CHANGELOG.md"]
SHOWN = (
    "heun/sander2022-order",
    "adjoint/sander2022-memory",
    "scaling/marion2022-hurst-map",
    "eos/arora2022-limit-flow",
)
BEGIN, END = "<!-- figures: written by tests/docs/test_readme.py -->\n", "<!-- end of figures -->"
ELSEWHERE = {  # commands that are not run here, and where they are
    "resodectl data fetch cifar10 --data-root data": "tests/datasets/test_fetch.py",
    "resodectl report --figures gallery --out report.html": "tests/report/test_report.py: a gallery is of laptop runs",
    "resodectl heun sander2022-training --profile paper --data-root data --device cuda": "needs CIFAR-10 and a GPU",
}


def figures() -> str:
    """Four pictures, each with its headline, what was measured of it, how its claims stand; what was never run."""
    rows = ["| | |", "| --- | --- |"]
    for name in SHOWN:
        family, _, stem = name.partition("/")
        verdicts = json.loads((ROOT / "figures" / f"{name}.json").read_text("utf-8"))
        title, headline = gallery.escaped(verdicts["title"]), verdicts["claims"][0]
        measured = gallery.escaped(f"{gallery.measured(headline)}, band {gallery.band(headline)}")
        says = gallery.escaped(headline["says"])
        link = f"[`{name}`](figures/README.md#{gallery.anchor(name)})"
        text = f"**{link}** {says}: {measured}. {gallery.standing(verdicts)}"
        rows.append(f"| ![{title}](figures/{family}/{stem}.png) | {text} |")
    return "\n".join([*rows, "", never_run()]) + "\n"


def never_run() -> str:
    """The paragraph on the recipes of which no run of the paper's own setting is committed."""
    missing = []
    for name in shipped():
        ran = (ROOT / "figures" / f"{name}.paper.json").exists()
        if not ran and json.loads((ROOT / "figures" / f"{name}.json").read_text("utf-8"))["deviations"]:
            missing.append(f"`{name}`")
    text = (
        "**Never run.** On a GPU (NVIDIA H100 and H200, PyTorch 2.11) each recipe has run in `smoke`, and "
        "`lazy/chizat2019-init-scale` in `paper`. The `paper` profiles of these recipes have not been run to "
        "their end, for they need a data set, a GPU or many hours, so that their bands are unverified at that size: "
        f"{', '.join(missing)}. Of those with networks of the paper's own size, tests run the first steps on small "
        "files in the true format."
    )
    return textwrap.fill(text, 120, break_on_hyphens=False)


def parted(text: str) -> tuple[str, str, str]:
    """What stands before, in and after the part of README that is written here."""
    before, rest = text.split(BEGIN)
    inside, after = rest.split(END)
    return before + BEGIN, inside, END + after


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def commands(path: Path) -> list[str]:
    """The calls of the tool that a page shows, in their order."""
    lines = (
        shlex.join(shlex.split(line, comments=True)) for block in blocks(path, "sh") for line in block.splitlines()
    )
    return [line for line in lines if line.startswith("resodectl ")]


def small(command: str) -> list[str]:
    """The arguments of a command, at the size of a test: in one process, and in the profile `smoke` if there is one."""
    args = shlex.split(command)[1:]
    word = args[2] if args[0] == "--plugins" else args[0]
    if word in ("run", "check", "walks", *families()):
        args += ["-j", "1"]
    elif word not in ("plot", "show"):
        return args
    return args if args[1].endswith(".yaml") else [*args, "--profile", "smoke"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the recipes that the pages show, and one for data sets."""
    (tmp_path / "data").mkdir()
    (tmp_path / "brownian.yaml").write_text(blocks(README, "yaml")[0])
    (tmp_path / "depth.yaml").write_text(blocks(ROOT / "docs/your-own.md", "yaml")[0])
    return tmp_path


@pytest.mark.parametrize("page", ["README.md", "docs/runs.md", "docs/your-own.md"])
def test_every_command_that_is_shown_runs(page: str, shell, toy: Path, folder: Path) -> None:
    shown = commands(ROOT / page)
    assert shown
    for command in shown:
        if command in ELSEWHERE:
            parsed = shell(*shlex.split(command)[1:], "--help")
            assert parsed.code == 0
            continue
        ended = shell(*small(command))
        may_fail = command.startswith("resodectl check")  # some claims need more than the size of a test
        assert ended.code in (0, int(may_fail)), f"{command}: {ended.err}"
        if "residual_exponent=0.5" in command:
            assert re.search(r" 0/[0-9]+ hold", ended.out)
        if command == "resodectl run brownian.yaml":
            assert "nothing is claimed" in ended.out


def test_the_recipe_of_ones_own_has_the_verdict_that_is_shown(shell, folder: Path) -> None:
    recipe = folder / "brownian.yaml"
    assert shell("run", "brownian.yaml", "-j", "1").code == 0
    recipe.write_text(recipe.read_text("utf-8") + blocks(README, "yaml")[1])
    ended = shell("run", "brownian.yaml", "-j", "1", "--strict")
    assert ended.code == 0, ended.err
    assert "0 computed, 8 reused" in ended.out
    (verdict,) = blocks(README, "text")
    assert verdict in ended.out


def test_the_log_is_read_as_docs_runs_shows(shell) -> None:
    (code,) = blocks(ROOT / "docs/runs.md", "python")
    assert shell("heun", "sander2022-order", "--profile", "smoke", "-j", "1").code == 0
    exec(code.replace("laptop", "smoke"), {})


def test_the_rule_for_make_works_in_an_empty_folder(tmp_path: Path) -> None:
    (makefile,) = blocks(ROOT / "docs/runs.md", "make")
    tool = tmp_path / "bin/resodectl"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m resodectl "$@"\n')
    tool.chmod(0o755)
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "Makefile").write_text(makefile)

    def make(target: str) -> str:
        path = os.pathsep.join([str(tool.parent), os.environ["PATH"]])
        done = subprocess.run(
            ["make", target], cwd=empty, env={**os.environ, "PATH": path}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    recipe, figure = empty / "my-recipes/heun/sander2022-order.yaml", empty / "figures/heun/sander2022-order.pdf"
    make("my-recipes/heun/sander2022-order.yaml")
    smaller = recipe.read_text("utf-8").partition("claims:")[0]  # at the size of a test
    recipe.write_text(smaller.replace("laptop:", "huge:").replace("smoke:", "laptop:").replace("huge:", "smoke:"))
    make("figures/heun/sander2022-order.pdf")
    assert figure.read_bytes().startswith(b"%PDF")
    assert "is up to date" in make("figures/heun/sander2022-order.pdf")
    drawn = figure.stat().st_mtime_ns
    recipe.write_text("# a comment\n" + recipe.read_text("utf-8"))
    assert "0 computed" in make("figures/heun/sander2022-order.pdf")
    assert figure.stat().st_mtime_ns == drawn


def test_the_figures_and_verdicts_of_readme_are_those_of_the_gallery() -> None:
    assert parted(README.read_text("utf-8"))[1] == figures(), "run python tests/docs/test_readme.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if target.startswith("https://"):
            continue
        file, _, heading = target.partition("#")
        there = page.parent / file if file else page
        assert there.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.*)$", there.read_text("utf-8"), re.MULTILINE)
            assert heading in map(gallery.anchor, headings), target


def test_every_recipe_that_is_named_exists() -> None:
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    named = set(re.findall(rf"\b(?:{'|'.join(families())})/[a-z]+20[0-9a-z-]+", text))
    assert named
    assert {name.rstrip("-") for name in named} <= set(shipped())


def test_readme_stays_within_three_screens() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 150


def test_the_two_commands_are_targets_of_make_and_the_gate_calls_them() -> None:
    makefile, gate = ((ROOT / name).read_text("utf-8") for name in ("Makefile", ".ci/run"))
    for target in ("figures", "test"):
        assert f"make {target}" in README.read_text("utf-8")
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
        assert f"make {target}\n" in gate


if __name__ == "__main__":
    before, _, after = parted(README.read_text("utf-8"))
    README.write_text(before + figures() + after, "utf-8")
