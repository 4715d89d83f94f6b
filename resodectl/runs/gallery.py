"""The page of a gallery: README.md, written from the verdicts that stand beside the pictures."""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resodectl.claims.document import estimate_of
from resodectl.experiment import catalogue
from resodectl.files import write_if_changed
from resodectl.recipe.schema import Band

MARK = "<!-- Written by resodectl; a run with --figures writes it again. -->"
INTRODUCTION = """\
Each picture is of a `laptop` run. Below it stand the claims of its recipe, with what was measured. A claim *holds* if
its whole 95 % interval lies inside its band, *fails* if the interval lies outside, and is *unclear* otherwise. A
control breaks one hypothesis of its claim. It *breaks* the claim, as it must, if its whole interval lies outside the
band."""


@dataclass(frozen=True)
class Entry:
    """A picture with its verdicts, and with those of the paper's own setting if they are there."""

    name: str
    verdicts: dict[str, Any]
    of_paper: dict[str, Any] | None


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
    parts = []
    shown: list[Entry] = []
    for family, about in catalogue.families().items():
        of_family = entries(figures, family)
        if of_family:
            parts += [f"## {family}", escaped(about), *(part for entry in of_family for part in _section(entry))]
            shown += of_family
    if not shown:
        return None
    contents = [
        (
            f"[{escaped(entry.name)}](#{anchor(entry.name)})",
            escaped(entry.verdicts["title"]),
            held(entry.verdicts),
            held(entry.of_paper) if entry.of_paper else "not run",
        )
        for entry in shown
    ]
    index = _table(("recipe", "shows", "claims that hold", "at the paper's own setting"), contents)
    return "\n\n".join([MARK, "# Figures", INTRODUCTION, index, *parts]) + "\n"


def entries(figures: Path, family: str) -> list[Entry]:
    """The pictures of a family that have their verdicts beside them, in the order of their names."""
    found = []
    for picture in sorted((figures / family).glob("*.png")):
        verdicts = _read(picture.with_suffix(".json"))
        if verdicts is not None:
            name = f"{family}/{picture.stem}"
            found.append(Entry(name, verdicts, _read(figures / f"{name}.paper.json")))
    return found


def held(verdicts: dict[str, Any]) -> str:
    """How many of the judged claims hold: `9 of 9`."""
    judged = [claim for claim in verdicts["claims"] if claim["gate"]]
    return f"{sum(claim['judgement'] == 'holds' for claim in judged)} of {len(judged)}"


def standing(verdicts: dict[str, Any]) -> str:
    """A sentence on the claims and controls of a recipe."""
    claims = verdicts["claims"]
    if not claims:
        return "Nothing is claimed."
    reported = sum(not claim["gate"] for claim in claims)
    breaking = sum(claim["control"]["state"] == "breaks" for claim in claims)
    parts = [f"{held(verdicts)} claims hold"]
    if reported:
        parts.append(f"{reported} more {'is' if reported == 1 else 'are'} only reported")
    return f"{', '.join(parts)}; {breaking} of {len(claims)} controls break their claim."


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


def _section(entry: Entry) -> list[str]:
    """The blocks of one picture: its heading, itself, where it is from, how far it is from there, its claims."""
    verdicts, title = entry.verdicts, escaped(entry.verdicts["title"])
    numbered = "an unnumbered figure" if verdicts["figure"] == "unnumbered" else verdicts["figure"]
    blocks = [
        f"### {escaped(entry.name)}",
        f"**{title}**",
        f"![{title}]({entry.name}.png)",
        f"{escaped(verdicts['paper'])}; {escaped(numbered)}.",
        _distance(verdicts),
        standing(verdicts) + (f" At the paper's own setting: {standing(entry.of_paper)}" if entry.of_paper else ""),
    ]
    if verdicts["claims"]:
        rows = [
            (escaped(claim["says"]), escaped(measured(claim)), escaped(band(claim)), _judgement(claim), _control(claim))
            for claim in verdicts["claims"]
        ]
        blocks.append(_table(("claim", "estimate", "band", "verdict", "control"), rows))
    return blocks


def _distance(verdicts: dict[str, Any]) -> str:
    """A sentence or two on how far the picture is from the paper's setting."""
    sentences = ["The paper's own setting."]
    if verdicts["deviations"]:
        sentences = [f"Differs from the paper: {'; '.join(verdicts['deviations'])}."]
        if verdicts["because"]:
            sentences.append(f"Reason: {verdicts['because']}.")
    if verdicts["departs"]:
        sentences.append(f"Even the paper profile departs from the paper: {verdicts['departs']}.")
    return escaped(" ".join(sentences))


def _judgement(claim: dict[str, Any]) -> str:
    return claim["judgement"] if claim["gate"] else escaped(f"{claim['judgement']}, only reported: {claim['because']}")


def _control(claim: dict[str, Any]) -> str:
    control = claim["control"]
    estimate = estimate_of(control["estimate"])
    number = "" if estimate is None else f" at {estimate}"
    return escaped(f"{control['state']}{number}: {control['because']}")


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _read(path: Path) -> dict[str, Any] | None:
    """The verdicts in a file; None, with a warning if it is there, if it holds none of this version."""
    try:
        verdicts = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        verdicts = {}
    if not isinstance(verdicts, dict) or not {"title", "figure", "paper", "departs", "claims"} <= verdicts.keys():
        print(f"warning: {path} is left out of the gallery; run its recipe again", file=sys.stderr)
        return None
    return verdicts
