"""What the report shows of a gallery: a card a recipe, and a row a paper."""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resodectl.claims.document import controls_of
from resodectl.errors import UserError
from resodectl.experiment import catalogue
from resodectl.experiment.outside import data_sets
from resodectl.recipe.load import Recipe, load
from resodectl.report.bands import picture_of_band
from resodectl.report.pictures import compact
from resodectl.runs.gallery import band, held, measured, standing

NO_DATA = "none"
_DEVIATION = re.compile(r"(.*?): (.*) \(paper: (.*)\)", re.DOTALL)


@dataclass(frozen=True)
class Card:
    """One recipe of a gallery, as the report shows it."""

    name: str
    verdicts: Mapping[str, Any]
    of_paper: Mapping[str, Any] | None
    picture: str
    claims: tuple[Mapping[str, Any], ...]
    data: str
    recipe: str
    command: str

    @property
    def family(self) -> str:
        return self.name.partition("/")[0]

    @property
    def holds(self) -> bool:
        """Whether every judged claim holds, and no control that was run is broken."""
        judged = [claim for claim in self.verdicts["claims"] if claim["gate"]]
        states = [control["state"] for claim in self.verdicts["claims"] for control in controls_of(claim)]
        return all(claim["judgement"] == "holds" for claim in judged) and "broken" not in states

    @property
    def ran_in_paper(self) -> bool:
        """Whether a run of the paper's own setting is in the gallery."""
        return self.of_paper is not None or not self.verdicts["deviations"]

    @property
    def deviations(self) -> list[tuple[str, str, str]]:
        """What differs from the paper: the setting, its value here, and the paper's."""
        found = (_DEVIATION.fullmatch(text) or (text, "", "") for text in self.verdicts["deviations"])
        return [(known[1], known[2], known[3]) if isinstance(known, re.Match) else known for known in found]

    @property
    def standing(self) -> str:
        return standing(dict(self.verdicts))

    @property
    def held(self) -> str:
        return held(dict(self.verdicts))

    @property
    def standing_in_paper(self) -> str | None:
        return standing(dict(self.of_paper)) if self.of_paper else None

    @property
    def alt(self) -> str:
        """What stands for the picture where it is not seen."""
        return f"{self.verdicts['title']}. {self.standing}"

    @property
    def searched(self) -> str:
        """The text that a search looks at."""
        says = [claim["says"] for claim in self.verdicts["claims"]]
        return " ".join((self.name, self.verdicts["title"], self.verdicts["paper"], *says)).lower()


def cards(figures: Path) -> list[Card]:
    """The cards of a gallery, in the order of their names.

    Raises:
        UserError: there is no such folder, or it is no gallery.
    """
    if not figures.is_dir():
        raise UserError(f"{figures}: there is no such folder; write a gallery with `resodectl run --all --figures DIR`")
    found = [card for picture in sorted(figures.glob("*/*.png")) if (card := _card(figures, picture)) is not None]
    if not found:
        raise UserError(f"{figures}: is no gallery; write one with `resodectl run --all --figures DIR`")
    return found


def papers(found: list[Card]) -> list[tuple[str, list[Card]]]:
    """The papers by their citation, each with the cards of its figures."""
    known: dict[str, list[Card]] = {}
    for card in found:
        known.setdefault(card.verdicts["paper"], []).append(card)
    return sorted(known.items())


def _card(figures: Path, picture: Path) -> Card | None:
    """The card of a picture; None, with a warning, where its verdicts are not there or are damaged."""
    name, path = f"{picture.parent.name}/{picture.stem}", picture.with_suffix(".json")
    try:
        verdicts = json.loads(path.read_bytes())
        paper = figures / f"{name}.paper.json"
        of_paper = json.loads(paper.read_bytes()) if paper.is_file() else None
        claims = tuple(_claims(verdicts))
        recipe = _recipe(name)
        return Card(
            name, verdicts, of_paper, compact(picture), claims, ", ".join(sorted(_data(recipe))) or NO_DATA,
            recipe.path.read_text("utf-8") if recipe else "", f"resodectl run {name} --controls",
        )  # fmt: skip
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        print(f"warning: {path} is left out of the report; run its recipe again", file=sys.stderr)
        return None


def _claims(verdicts: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The claims of a recipe, each with what is shown of it besides."""
    for number, claim in enumerate(verdicts["claims"], 1):
        yield {
            **claim,
            "number": number,
            "measured": measured(claim),
            "band": band(claim),
            "drawn": picture_of_band(claim),
            "controls": [{**control, "measured": _under(control)} for control in controls_of(claim)],
        }


def _under(control: Mapping[str, Any]) -> str:
    return measured(dict(control)) if control["estimate"] else ""


def _recipe(name: str) -> Recipe | None:
    """The shipped recipe of a name; None if there is none, or it cannot be used."""
    path = catalogue.shipped().get(name)
    try:
        return load(path) if path else None
    except UserError:
        return None


def _data(recipe: Recipe | None) -> set[str]:
    """The data sets that a recipe's laptop profile names."""
    return set(data_sets(recipe.params)) if recipe else set()
