"""`resodectl show`: a recipe in words, its setting, its distance from the paper, its claims, its cost."""

import json
from typing import TYPE_CHECKING, Any

import click

from resodectl.cli import options
from resodectl.cli.tables import document_on_stdout, table
from resodectl.errors import UserError

if TYPE_CHECKING:
    from resodectl.engine.run import Execution
    from resodectl.recipe.load import Recipe


@click.command("show")
@click.argument("recipe")
@options.requesting
@options.storing
@options.rooting
@click.option("--why", is_flag=True, help="Also say, for cells that are missing, what in their address has changed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a table.")
def show_command(recipe: str, why: bool, **given: Any) -> int:
    """Show a recipe: its resolved setting, its distance from the paper, its claims, and what it costs.

    With --why, also what determines the missing cells and has changed since near ones were stored: the code of which
    module, which parameter, data, package, device. With the name of an experiment (family/experiment): what a recipe
    may say of it, that is its parameters, the columns of its log, its measures with their options, and its drawings.
    """
    from resodectl.cli.experiments import show_experiment
    from resodectl.cli.selection import chosen
    from resodectl.experiment import catalogue

    asked = options.Options(**given)
    if recipe in catalogue.experiments() and recipe not in catalogue.shipped():
        show_experiment(recipe, asked.as_json)
        return 0
    loaded, *others = chosen((recipe,), asked.request)
    if others:
        raise UserError(f"{recipe}: holds {len(others) + 1} recipes; show takes one, such as {loaded.path}")
    execution = asked.execution()
    known = facts(loaded, execution)
    if why and "note" not in known["cost"]:
        known["missing"] = _missing(loaded, execution)
    if asked.as_json:
        document_on_stdout(known)
    else:
        describe(loaded, known)
    return 0


def facts(recipe: "Recipe", execution: "Execution") -> dict[str, Any]:
    """All that `show` says, as plain values."""
    key = recipe.file.paper if isinstance(recipe.file.paper, str) else None
    return {
        "recipe": recipe.name,
        "title": recipe.title,
        "figure": recipe.figure,
        "paper": {"key": key, **recipe.paper.model_dump()},
        "experiment": recipe.file.experiment,
        "profile": recipe.profile,
        "overrides": list(recipe.overrides),
        "because": recipe.because,
        "departs": recipe.file.departs,
        "params": recipe.params.model_dump(mode="json"),
        "deviations": [{"key": d.key, "paper": d.paper, "here": d.here} for d in recipe.deviations],
        "claims": [
            {"claim": claim.claim, "says": claim.says, "within": str(claim.band(recipe.profile)), "gate": claim.gate,
             "controls": [control.because for control in claim.every_control().values()]}
            for claim in recipe.claims
        ],
        "cost": _cost(recipe, execution),
    }  # fmt: skip


def _cost(recipe: "Recipe", execution: "Execution") -> dict[str, Any]:
    """Cells, those that are stored, and the seconds that these took."""
    from resodectl.engine.store import Store
    from resodectl.runs.plan import cells, own_tasks

    try:
        planned = own_tasks(recipe, execution)
    except UserError as error:
        return {"cells": len(cells(recipe)), "stored": 0, "seconds": None, "note": str(error)}
    store = Store(execution.store)
    stored = store.find(task.address for task in planned)
    seconds = store.seconds(stored).values()
    return {"cells": len(planned), "stored": len(stored), "seconds": round(sum(seconds), 3) if seconds else None}


def _missing(recipe: "Recipe", execution: "Execution") -> list[dict[str, Any]]:
    """Why cells are missing, one entry for those with the same reason."""
    from dataclasses import asdict

    from resodectl.engine.store import Store
    from resodectl.runs.plan import own_tasks
    from resodectl.runs.why import reasons

    return [asdict(reason) for reason in reasons(own_tasks(recipe, execution), Store(execution.store))]


def describe(recipe: "Recipe", known: dict[str, Any]) -> None:
    """Print the facts of a recipe."""
    from resodectl.recipe.papers import citation

    print(f"{recipe.name}: {recipe.title}")
    print(f"{recipe.figure} of {citation(recipe.paper)}")
    print(
        f"experiment {recipe.file.experiment}, profile {recipe.profile}"
        + (f": {recipe.because}" if recipe.because else "")
    )
    if recipe.overrides:
        print(f"with {' '.join(recipe.overrides)}")
    print()
    params = known["params"]
    properties = recipe.experiment.spec.Params.model_json_schema()["properties"]
    rows = [
        (key, json.dumps(value), properties[key].get("unit", ""), properties[key].get("description", ""))
        for key, value in params.items()
    ]
    table(("parameter", "value", "unit", "meaning"), rows, fold=("value", "meaning"))
    print()
    if recipe.deviations:
        differing = [(d["key"], json.dumps(d["paper"]), json.dumps(d["here"])) for d in known["deviations"]]
        table(("differs", "paper", "here"), differing, fold=("paper", "here"))
    else:
        print("The paper's own setting.")
    if recipe.file.departs:
        print(f"Even the paper profile departs from the paper: {recipe.file.departs}")
    print()
    if not recipe.claims:
        print("Nothing is claimed.")
    numbered = [
        (
            str(number),
            claim["says"],
            claim["within"],
            "" if claim["gate"] else "reported only",
            "\n".join(claim["controls"]),
        )
        for number, claim in enumerate(known["claims"], 1)
    ]
    if numbered:
        table(("", "claim", "band", "", "controls"), numbered, fold=("claim", "controls"))
    cost = known["cost"]
    spent = f", which took {cost['seconds']:.1f} s" if cost["seconds"] is not None else ""
    print(f"\n{cost['cells']} cells, {cost['stored']} stored{spent}" + (f"; {cost['note']}" if "note" in cost else ""))
    if "missing" in known:
        _print_missing(known["missing"])


def _print_missing(missing: list[dict[str, Any]]) -> None:
    """Print what has changed for the missing cells: a block of lines a reason."""
    print()
    if not missing:
        print("Every cell is stored.")
    rows = []
    for reason in missing:
        changes = reason["changes"]
        cells = f"{reason['cells']}"
        if changes is None:
            rows.append((cells, "new", f"no stored cell is near {reason['first']}", ""))
        for change in changes or ():
            name = change["name"].removeprefix("resodectl.families.")
            rows.append((cells, change["what"], name, _from_to(change)))
            cells = ""
    if rows:
        table(("missing", "because of", "", "stored -> now"), rows, fold=("", "stored -> now"))


def _from_to(change: dict[str, Any]) -> str:
    """`old -> new`; of code and files, only whether they were added or are gone."""
    if change["what"] in ("code", "file"):
        return "added" if change["before"] else "gone" if change["now"] else "changed"
    before, now = change["before"], change["now"]
    if change["what"] in ("data", "input"):
        before, now = before[:12], now[:12]
    return f"{before} -> {now}"
