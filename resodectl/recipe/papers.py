"""The papers that recipes name by a key: papers.yaml."""

from functools import cache
from pathlib import Path

import yaml

import resodectl
from resodectl.recipe.schema import Paper


@cache
def papers() -> dict[str, Paper]:
    """Every known paper by its key."""
    known = yaml.safe_load((Path(resodectl.__file__).parent / "papers.yaml").read_text("utf-8"))
    return {key: Paper(**{**facts, "authors": tuple(facts["authors"])}) for key, facts in known.items()}


def citation(paper: Paper) -> str:
    """Authors, title, venue and year, arXiv id, as far as they are known.

    >>> citation(papers()["chizat2019"])
    'L. Chizat, E. Oyallon, F. Bach: On Lazy Training in Differentiable Programming, NeurIPS 2019, arXiv 1812.07956'
    """
    published = f"{paper.venue} {paper.year}" if paper.venue else str(paper.year)
    arxiv = f", arXiv {paper.arxiv}" if paper.arxiv else ""
    return f"{', '.join(paper.authors)}: {paper.title}, {published}{arxiv}"
