"""`resodectl sweep`."""

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from resodectl.cli import options
from resodectl.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from resodectl.recipe.load import Recipe
    from resodectl.sweeps.sweep import Found, Sweep


@click.command("sweep")
@click.argument("recipe")
@click.option("--over", "over", metavar="KEY=VALUES", multiple=True, help="A parameter and its values (once or twice).")
@click.option("--claims", metavar="NAME,...", help="Only these claims, by measure or number [default: all].")
@click.option("--edge", metavar="KEY=LOW..HIGH", help="Find by bisection where the verdict on a claim changes.")
@click.option("--claim", metavar="NAME", help="The claim whose edge is sought, by measure or number.")
@click.option(
    "--width", type=click.FloatRange(0, 1, min_open=True), default=0.05, show_default=True,
    help="How wide the edge's bracket may be, relative to its middle.",
)  # fmt: skip
@options.requesting
@options.computing
@options.storing
@options.placing
@options.formatting
@click.option("--controls", is_flag=True, help="Also run the controls that need cells of their own.")
@click.option("--shard", metavar="I/N", help="Only compute the I-th of N parts of the cells; draw nothing.")
@click.option("--force", is_flag=True, help="Compute the cells again even if they are stored.")
@click.option("--dry-run", is_flag=True, help="Say what would be computed, and compute nothing.")
@options.documenting
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def sweep_command(
    recipe: str,
    over: tuple[str, ...],
    claims: str | None,
    edge: str | None,
    claim: str | None,
    width: float,
    **given: Any,
) -> int:
    """Vary one or two parameters of a recipe, and show where each of its claims holds.

    VALUES is a list (0.25,0.5,1), a grid (0.1..1.0/10: ten values), a geometric one (1e-3..1e-1/log/9), or integers
    that multiply (4..256/x2). KEY is any parameter that --set takes. All cells are planned together; those that the
    store has are not computed again. Results go to OUT/<family>/<name>/sweep-<keys>-<hash>: sweep.parquet, with a row
    a point and claim, and a figure a claim.

    --edge KEY=LOW..HIGH --claim NAME narrows down where the verdict changes, with fresh seeds at each step.
    """
    asked = options.Options(**given)
    if edge is None and claim is not None:
        raise UserError("--claim belongs to --edge; write --claims to choose among the claims of a sweep")
    if (edge is None) == (not over):
        raise UserError("give either --over KEY=VALUES, or --edge KEY=LOW..HIGH with --claim")
    if edge is not None and claim is None:
        raise UserError("--edge needs --claim NAME, the claim whose verdict changes")
    if edge is not None:
        return _edge(recipe, edge, str(claim), width, asked)
    return _sweep(recipe, over, claims, asked)


def _sweep(reference: str, over: tuple[str, ...], claims: str | None, asked: options.Options) -> int:
    from resodectl.cli.results import print_shard
    from resodectl.cli.run import resumable
    from resodectl.cli.tables import document_on_stdout, table
    from resodectl.engine import run as engine
    from resodectl.engine import sources
    from resodectl.engine.progress import Progress
    from resodectl.engine.store import Store
    from resodectl.runs.compute import compute
    from resodectl.runs.plan import Job, missing, plan
    from resodectl.sweeps.finish import finish
    from resodectl.sweeps.grid import axis
    from resodectl.sweeps.sweep import found_at, sweep_of, without_other_claims

    started = time.perf_counter()
    part = engine.parse_shard(asked.shard) if asked.shard is not None else None
    axes = [axis(text) for text in over]
    recipe = _only(reference, asked)
    sweep = sweep_of(recipe, axes, claims.split(",") if claims else ())
    execution, store = asked.execution(), Store(asked.store_folder)
    jobs = [without_other_claims(job, sweep.claims) for job in plan(list(map(sweep.at, sweep.points)), execution)]
    needed = missing(jobs, store, asked.controls, asked.force)
    if asked.dry_run:
        cells = len({task.address for job in jobs for task in job.wanted(asked.controls)})
        counts = {"points": len(jobs), "cells": cells, "to_compute": len(needed)}
        if asked.as_json:
            document_on_stdout({"recipe": recipe.name, **counts})
        else:
            shown = map(str, (len(jobs), cells, cells - len(needed), len(needed)))
            table(("recipe", "points", "cells", "stored", "to compute"), [(recipe.name, *shown)])
        return 0
    waiting = engine.shard(needed, *part) if part else needed
    asked.require_folders(store=bool(waiting))
    found: dict[int, list[Found]] = {}  # by the place of the point
    places = {id(job): place for place, job in enumerate(jobs)}
    with Progress(waiting, asked.quiet) as progress:

        def ready(job: Job) -> None:
            if part is None:
                place = places[id(job)]
                found[place] = found_at(sweep.points[place], job, sweep.claims, execution)

        with resumable(jobs, store, asked):
            errors = compute(jobs, waiting, execution, progress, ready, asked.force)
    sources.keep(store.folder)
    for error in dict.fromkeys(errors):
        print(f"resodectl: a cell failed: {error}", file=sys.stderr)
    if part:
        print_shard(
            str(asked.shard), len(waiting) - len(errors), len(missing(jobs, store, asked.controls)), asked.as_json
        )
        return 3 if errors else 0
    every = [one for place in range(len(jobs)) for one in found[place]]
    failed = list(dict.fromkeys(one.error for one in every if one.error and one.error not in errors))
    for error in failed:
        print(f"resodectl: {error}", file=sys.stderr)
    figures = finish(sweep, every, jobs, execution, asked.folders)
    code = 3 if errors or failed else 0
    _report(sweep, every, figures, asked, code, time.perf_counter() - started)
    return code


def _only(reference: str, asked: options.Options) -> "Recipe":
    """The one recipe of a reference.

    Raises:
        UserError: it is a folder that holds several.
    """
    from resodectl.cli.selection import chosen

    recipes = chosen([reference], asked.request)
    if len(recipes) > 1:
        raise UserError(f"{reference}: holds {len(recipes)} recipes; sweep one at a time")
    return recipes[0]


def _report(
    sweep: "Sweep",
    found: "list[Found]",
    figures: "dict[int, list[Path]]",
    asked: options.Options,
    code: int,
    wall_seconds: float,
) -> None:
    """Say where each claim holds, or print all of it as JSON."""
    from resodectl.cli.tables import document_on_stdout
    from resodectl.sweeps.regions import counts, region
    from resodectl.sweeps.table import documents

    table = asked.shown(sweep.folder(asked.folders) / "sweep.parquet")
    if asked.as_json:
        document_on_stdout(
            {
                "exit_code": code,
                "wall_seconds": round(wall_seconds, 3),
                "recipe": sweep.recipe.name,
                "profile": sweep.recipe.profile,
                "overrides": list(sweep.recipe.overrides),
                "table": table,
                "figures": {str(claim + 1): [asked.shown(path) for path in paths] for claim, paths in figures.items()},
                "points": documents(sweep, found),
            }
        )
        return
    over = " and ".join(axis.key for axis in sweep.axes)
    print(f"{sweep.recipe.name} ({sweep.recipe.profile}) over {over}, {len(sweep.points)} points:")
    for claim, paths in figures.items():
        own = [one for one in found if one.claim == claim]
        words = [one.judgement for one in own]
        where = region([one.values[0] for one in own], words) if len(sweep.axes) == 1 else counts(words)
        print(f"{claim + 1:3d}  {sweep.recipe.claims[claim].says}\n     {where}\n     {asked.shown(paths[0])}")
    print(f"{table}; {wall_seconds:.1f} s in all")


def _edge(reference: str, text: str, name: str, width: float, asked: options.Options) -> int:
    from resodectl.claims.document import document
    from resodectl.claims.verdict import Verdict
    from resodectl.cli.run import resumable
    from resodectl.cli.tables import document_on_stdout
    from resodectl.engine import sources
    from resodectl.engine.progress import Progress
    from resodectl.engine.store import Store
    from resodectl.recipe.merging import as_text
    from resodectl.runs.compute import compute
    from resodectl.runs.plan import missing, plan
    from resodectl.sweeps.edge import bisect
    from resodectl.sweeps.grid import interval
    from resodectl.sweeps.sweep import claims_called, found_at, own_value, varied, without_other_claims

    if asked.shard is not None or asked.dry_run:
        raise UserError("--edge decides on each step by the one before; it takes neither --shard nor --dry-run")
    key, low, high = interval(text)
    recipe = _only(reference, asked)
    numbers = claims_called(recipe, name)
    if len(numbers) > 1:
        listed = ", ".join(str(number + 1) for number in numbers)
        raise UserError(f"--claim {name}: several claims of {recipe.name} have this measure; give a number: {listed}")
    if not isinstance(own_value(recipe, key), int):
        low, high = float(low), float(high)
    execution, store = asked.execution(), Store(asked.store_folder)
    asked.require_folders(store=True, out=False)
    cells: set[str] = set()

    def measure(value: float, step: int) -> Verdict:
        here = varied(recipe, {key: value}, recipe.request.first_seed + step * recipe.params.seeds)
        jobs = [without_other_claims(job, numbers) for job in plan([here], execution)]
        waiting = missing(jobs, store, False, asked.force)
        with Progress(waiting, asked.quiet) as progress, resumable(jobs, store, asked):
            errors = compute(jobs, waiting, execution, progress, lambda job: None, asked.force)
            cells.update(task.address for task in jobs[0].tasks)
            (found,) = found_at((value,), jobs[0], numbers, execution)
            if found.verdict is None:
                raise UserError(errors[0] if errors else found.error)
            progress.say(
                f"{key}={as_text(value)}, seeds from {here.request.first_seed}: {found.judgement}, "
                f"{found.verdict.estimate or found.verdict.absent}"
            )
        return found.verdict

    for known in bisect(low, high, width, measure):
        edge = known
    sources.keep(store.folder)
    if asked.as_json:
        tried = [{"at": value, **document(verdict)} for value, verdict in sorted(edge.tried.items())]
        document_on_stdout(
            {"recipe": recipe.name, "key": key, "claim": numbers[0] + 1, "bracket": list(edge.bracket),
             "certain": list(edge.certain), "cells": len(cells), "tried": tried}
        )  # fmt: skip
        return 0
    first, last = map(as_text, edge.bracket)
    sure = " and ".join(f"{edge.tried[value].judgement} at {as_text(value)}" for value in edge.certain)
    print(recipe.claims[numbers[0]].says)
    print(
        f"  The estimate crosses the edge of {edge.tried[low].band} between {key} {first} and {last}; the claim {sure}."
    )
    print(f"  {len(edge.tried)} values tried, {len(cells)} cells, fresh seeds at each")
    return 0
