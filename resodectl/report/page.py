"""The page of the report, from its template."""

from pathlib import Path

import jinja2
from markupsafe import Markup

from resodectl.experiment import catalogue
from resodectl.report.collect import Card, papers
from resodectl.runs.manifest import version

TEMPLATE = Path(__file__).parent / "page.html"


def page(cards: list[Card]) -> str:
    """The whole page. All that comes from recipes and logs is escaped."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["drawn"] = Markup  # what `bands` gives: numbers alone
    of_papers = papers(cards)
    families = dict.fromkeys(card.family for card in cards)
    known = catalogue.families()
    return environment.from_string(TEMPLATE.read_text("utf-8")).render(
        cards=cards,
        families={family: known.get(family, "") for family in families},
        papers=of_papers,
        numbers={paper: number for number, (paper, _) in enumerate(of_papers)},
        data=sorted({card.data for card in cards}),
        version=version(),
        claims=sum(len(card.claims) for card in cards),
    )
