"""A recipe in words: its setting, its distance from the paper, its claims, its cost."""

import json
from pathlib import Path
from typing import Any

import yaml

import resodectl
from resodectl.cli.tables import table
from resodectl.engine.run import Setting, tasks
from resodectl.engine.store import Store, metadata
from resodectl.errors import UserError
from resodectl.pipeline.planning import cells
from resodectl.recipe.load import Recipe


def paper(key: str) -> dict[str, Any]:
    """The facts of a paper in papers.yaml: title, authors, venue, year, arXiv id."""
    known = yaml.safe_load((Path(resodectl.__file__).parent / "papers.yaml").read_text("utf-8"))
    return known.get(key, {})


def _cited(about: dict[str, Any]) -> str:
    """A paper as it is cited: authors, title, venue and year, arXiv id, as far as they are known."""
    if "title" not in about:
        return str(about["key"])
    arxiv = f", arXiv {about['arxiv']}" if about["arxiv"] else ""
    return f"{', '.join(about['authors'])}: {about['title']}, {about['venue']} {about['year']}{arxiv}"


def facts(recipe: Recipe, setting: Setting) -> dict[str, Any]:
    """All that `show` says, as plain values."""
    return {
        "recipe": recipe.name,
        "title": recipe.title,
        "figure": recipe.figure,
        "paper": {"key": recipe.file.paper, **paper(recipe.file.paper)},
        "experiment": recipe.file.experiment,
        "profile": recipe.profile,
        "overrides": list(recipe.request.overrides),
        "because": recipe.because,
        "departs": recipe.file.departs,
        "params": recipe.params.model_dump(mode="json"),
        "deviations": [{"key": d.key, "paper": d.paper, "here": d.here} for d in recipe.deviations],
        "claims": [
            {"claim": claim.claim, "says": claim.says, "within": str(claim.band(recipe.profile)), "gate": claim.gate,
             "control": claim.control.because}
            for claim in recipe.claims
        ],
        "cost": _cost(recipe, setting),
    }  # fmt: skip


def _cost(recipe: Recipe, setting: Setting) -> dict[str, Any]:
    """Cells, those that are stored, and the seconds that these took."""
    all_cells = cells(recipe)
    try:
        addresses = [task.address for task in tasks(all_cells, setting)]
    except UserError as error:
        return {"cells": len(all_cells), "stored": 0, "seconds": None, "note": str(error)}
    stored = Store(setting.store).find(addresses)
    seconds = [metadata(entry.path).get("seconds", 0.0) for entry in stored.values()]
    return {"cells": len(all_cells), "stored": len(stored), "seconds": round(sum(seconds), 3) if seconds else None}


def describe(recipe: Recipe, found: dict[str, Any]) -> None:
    """Print the facts of a recipe."""
    print(f"{recipe.name}: {recipe.title}")
    print(f"{recipe.figure} of {_cited(found['paper'])}")
    print(
        f"experiment {recipe.file.experiment}, profile {recipe.profile}"
        + (f": {recipe.because}" if recipe.because else "")
    )
    if recipe.request.overrides:
        print(f"with {' '.join(recipe.request.overrides)}")
    print()
    params = found["params"]
    properties = recipe.experiment.spec.Params.model_json_schema()["properties"]
    rows = [
        (key, json.dumps(value), properties[key].get("unit", ""), properties[key].get("description", ""))
        for key, value in params.items()
    ]
    table(("parameter", "value", "unit", "meaning"), rows, fold=("value", "meaning"))
    print()
    if recipe.deviations:
        differing = [(d["key"], json.dumps(d["paper"]), json.dumps(d["here"])) for d in found["deviations"]]
        table(("differs", "paper", "here"), differing, fold=("paper", "here"))
    else:
        print("The paper's own setting.")
    if recipe.file.departs:
        print(f"Even the paper profile departs from the paper: {recipe.file.departs}")
    print()
    rows = [(c["says"], c["within"], "" if c["gate"] else "reported only", c["control"]) for c in found["claims"]]
    table(("claim", "band", "", "control"), rows, fold=("claim", "control"))
    cost = found["cost"]
    spent = f", which took {cost['seconds']:.1f} s" if cost["seconds"] is not None else ""
    print(f"\n{cost['cells']} cells, {cost['stored']} stored{spent}" + (f"; {cost['note']}" if "note" in cost else ""))
