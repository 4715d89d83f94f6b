"""The page of a gallery: README.md, written from the verdicts that stand beside the pictures."""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from resodectl.claims.document import controls_of, estimate_of
from resodectl.experiment import catalogue
from resodectl.files import write_if_changed
from resodectl.recipe.schema import Band

UNMEASURED = ("no rows", "no interval")
MARK = "<!-- Written by resodectl; a run with --figures writes it again. -->"
INTRODUCTION = """\
Each picture is of a `laptop` run. Below it stand the claims of its recipe, with what was measured. A claim *holds* if
its whole 95 % interval lies inside its band, *fails* if the interval lies outside, and is *unclear* otherwise. A
control breaks one hypothesis of its claim. It *breaks* the claim, as it must, if its whole interval lies outside the
band."""


@dataclass(frozen=True)
class Entry:
    """What the page says of a picture: its line in the contents, and the blocks of its section."""

    contents: tuple[str, ...]
    section: list[str]


def write(figures: Path) -> None:
    """Write the page of a gallery, if there is something to show and the page says something else so far.

    A README.md that was not written here is left alone.
    """
    text, path = page(figures), figures / "README.md"
    if text is None:
        return
    if path.exists() and not path.read_bytes().startswith(MARK.encode()):
        print(f"warning: {path} is left alone, for it is no page of a gallery", file=sys.stderr)
        return
    write_if_changed(path, text.encode())


def page(figures: Path) -> str | None:
    """The page in Markdown; None if there is nothing to show."""
    parts, contents = [], []
    known = catalogue.families()
    for family in sorted({*known, *(folder.name for folder in figures.iterdir() if folder.is_dir())}):
        shown = entries(figures, family)
        if shown:
            about = [escaped(known[family])] if family in known else []
            parts += [f"## {escaped(family)}", *about, *(block for entry in shown for block in entry.section)]
            contents += [entry.contents for entry in shown]
    if not contents:
        return None
    index = _table(("recipe", "shows", "claims that hold", "at the paper's own setting"), contents)
    return "\n\n".join([MARK, "# Figures", INTRODUCTION, index, *parts]) + "\n"


def entries(figures: Path, family: str) -> list[Entry]:
    """The pictures of a family that have their verdicts beside them, in the order of their names."""
    shown = []
    for picture in sorted((figures / family).glob("*.png")):
        path, name = picture.with_suffix(".json"), f"{family}/{picture.stem}"
        try:
            verdicts, of_paper = _read(path), _read(figures / f"{name}.paper.json")
            if verdicts is not None:
                shown.append(Entry(_contents(name, verdicts, of_paper), _section(name, verdicts, of_paper)))
        except (ValueError, LookupError, TypeError, AttributeError):
            print(f"warning: {path} is left out of the gallery; run its recipe again", file=sys.stderr)
    return shown


def held(verdicts: dict[str, Any]) -> str:
    """How many of the judged claims hold: `9 of 9`."""
    if not verdicts["claims"]:
        return "nothing is claimed"
    judged = [claim for claim in verdicts["claims"] if claim["gate"] and claim["judgement"] not in UNMEASURED]
    return f"{sum(claim['judgement'] == 'holds' for claim in judged)} of {len(judged)}"


def standing(verdicts: dict[str, Any]) -> str:
    """A sentence on the claims and controls of a recipe."""
    claims = verdicts["claims"]
    if not claims:
        return "Nothing is claimed."
    reported = sum(not claim["gate"] for claim in claims)
    judgements = [claim["judgement"] for claim in claims]
    states = [control["state"] for claim in claims for control in controls_of(claim)]
    breaks, not_run = states.count("breaks"), states.count("not run")
    parts = [f"{held(verdicts)} claims hold"]
    if reported:
        parts.append(f"{reported} more {'is' if reported == 1 else 'are'} only reported")
    parts += [f"{judgements.count(word)} with {word}" for word in UNMEASURED if word in judgements]
    controls = f"{breaks} of {breaks + states.count('broken')} controls break their claim"
    return f"{', '.join(parts)}; {controls}{f', {not_run} not run' if not_run else ''}."


def measured(claim: dict[str, Any]) -> str:
    """What was measured of a claim: `-2.995 [-2.997, -2.992]`."""
    estimate = estimate_of(claim["estimate"])
    return "no rows" if estimate is None else str(estimate)


def band(claim: dict[str, Any]) -> str:
    """The band of a claim: `[-3.2, -2.7]`."""
    low, high = claim["within"]
    return str(Band(low=low, high=high))


def escaped(text: str) -> str:
    """Text in one line of Markdown that shows every character as it is, in a table too.

    >>> escaped("|x_1| < $2")
    '\\\\|x\\\\_1\\\\| \\\\< \\\\$2'
    """
    return re.sub(r"([\\`*_\[\]<>|$~&#])", r"\\\1", " ".join(text.split()))


def anchor(heading: str) -> str:
    """The anchor that a heading gets: its letters, digits, dashes and underscores in lower case, a dash a space.

    >>> anchor("heun/sander2022-order")
    'heunsander2022-order'
    """
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _contents(name: str, verdicts: dict[str, Any], of_paper: dict[str, Any] | None) -> tuple[str, ...]:
    """The line of one picture in the contents; one that is of the paper's own setting needs no other run for it."""
    own = held(verdicts) if not verdicts["deviations"] else "not run"
    return (
        f"[{escaped(name)}](#{anchor(name)})",
        escaped(verdicts["title"]),
        held(verdicts),
        held(of_paper) if of_paper else own,
    )


def _section(name: str, verdicts: dict[str, Any], of_paper: dict[str, Any] | None) -> list[str]:
    """The blocks of one picture: its heading, itself, where it is from, how far it is from there, its claims."""
    title = escaped(verdicts["title"])
    numbered = "an unnumbered figure" if verdicts["figure"] == "unnumbered" else verdicts["figure"]
    blocks = [
        f"### {escaped(name)}",
        f"**{title}**",
        f"![{title}]({quote(name)}.png)",
        f"{escaped(verdicts['paper'])}; {escaped(numbered)}.",
        _distance(verdicts),
        standing(verdicts) + (f" At the paper's own setting: {standing(of_paper)}" if of_paper else ""),
    ]
    if verdicts["claims"]:
        rows = [
            (
                escaped(claim["says"]),
                escaped(measured(claim)),
                escaped(band(claim)),
                _judgement(claim),
                "<br>".join(map(_control, controls_of(claim))),
            )
            for claim in verdicts["claims"]
        ]
        blocks.append(_table(("claim", "estimate", "band", "verdict", "controls"), rows))
    return blocks


def _distance(verdicts: dict[str, Any]) -> str:
    """A sentence or two on how far the picture is from the paper's setting."""
    sentences = ["The paper's own setting."]
    if verdicts["deviations"]:
        sentences = [f"Differs from the paper: {'; '.join(verdicts['deviations'])}."]
        if verdicts["because"]:
            sentences.append(f"Reason: {verdicts['because'].rstrip('.')}.")
    if verdicts["departs"]:
        sentences.append(f"Even the paper profile departs from the paper: {verdicts['departs'].rstrip('.')}.")
    return escaped(" ".join(sentences))


def _judgement(claim: dict[str, Any]) -> str:
    return claim["judgement"] if claim["gate"] else escaped(f"{claim['judgement']}, only reported: {claim['because']}")


def _control(control: dict[str, Any]) -> str:
    estimate = estimate_of(control["estimate"])
    number = "" if estimate is None else f" at {estimate}"
    return escaped(f"{control['state']}{number}: {control['because']}")


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _read(path: Path) -> dict[str, Any] | None:
    """The verdicts in a file; None if there is none.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        verdicts: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return verdicts
