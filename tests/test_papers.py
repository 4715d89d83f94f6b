"""The papers that recipes refer to."""

from pathlib import Path
from typing import Any

import pytest
import yaml

import resodectl
from resodectl.experiment import catalogue

PAPERS: dict[str, Any] = yaml.safe_load((Path(resodectl.__file__).parent / "papers.yaml").read_text("utf-8"))


@pytest.mark.parametrize("key", PAPERS)
def test_every_paper_has_a_title_authors_a_venue_a_year_and_an_arxiv_number(key: str) -> None:
    paper = PAPERS[key]
    assert set(paper) == {"title", "authors", "venue", "year", "arxiv"}
    assert all(isinstance(paper[field], str) for field in ("title", "venue"))
    assert paper["authors"]
    assert all(isinstance(author, str) for author in paper["authors"])
    assert isinstance(paper["year"], int)
    assert paper["arxiv"] is None or (isinstance(paper["arxiv"], str) and len(paper["arxiv"]) == 10)


def test_every_shipped_recipe_is_of_a_known_paper() -> None:
    named = {name: yaml.safe_load(path.read_text("utf-8"))["paper"] for name, path in catalogue.shipped().items()}
    assert {name: paper for name, paper in named.items() if paper not in PAPERS} == {}
