"""`resodectl check`: claims again, from the logs only, without simulating."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from resodectl.cli import options
from resodectl.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resodectl.claims.verdict import Verdict
    from resodectl.engine.run import Execution
    from resodectl.engine.store import Store
    from resodectl.recipe.load import Recipe
    from resodectl.runs.recompute import Recomputed


class Count(click.ParamType):
    """How many: a whole number from 1 on, or `all`, which is 0."""

    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if value == "all":
            return 0
        if isinstance(value, int) or (str(value).isdecimal() and int(value)):
            return int(value)
        raise UserError(
            f"--recompute {value}: is neither a number of cells, from 1 on, nor all; name recipes before it"
        )


@click.command("check")
@click.argument("recipes", nargs=-1)
@options.every
@options.requesting
@options.computing
@options.storing
@options.placing
@click.option("--controls", is_flag=True, help="Also run the controls that need cells of their own.")
@click.option(
    "--recompute",
    type=Count(),
    is_flag=False,
    flag_value="1",
    metavar="[N]",
    help="Also compute N stored cells of each recipe again (1, or `all`), and compare them bit for bit.",
)
@options.reporting
def check_command(recipes: tuple[str, ...], all_recipes: bool, recompute: int | None, **given: Any) -> int:
    """Measure the claims again from the logs; exits with 1 if a judged claim does not hold or a control is broken.

    With --controls, the cells of the controls are run (those that the store lacks). With --recompute, stored cells are
    computed once more, in another order and in processes of their own; where a bit differs, the first difference is
    shown, and check exits with 1. The store stays as it is. A measure that fails costs the verdicts of its recipe
    alone, and exits with 3; so does a recipe that was never run, with 2.
    """
    from resodectl.claims.measures import check, check_measures
    from resodectl.cli.run import resumable
    from resodectl.cli.selection import chosen
    from resodectl.engine.progress import Progress
    from resodectl.engine.store import Store
    from resodectl.runs.compute import compute
    from resodectl.runs.finish import renew
    from resodectl.runs.logs import recorded
    from resodectl.runs.plan import Job, control_tasks, missing
    from resodectl.runs.stored import StoredCells, control_frames

    asked = options.Options(**given)
    loaded = chosen(recipes, asked.request, every=all_recipes)
    for recipe in loaded:
        check_measures(recipe)
    execution, store = asked.execution(), Store(asked.store_folder)
    logged: dict[str, Any] = {}
    absent: list[str] = []
    for recipe in loaded:
        try:
            logged[recipe.name], _ = recorded(recipe, asked.folders, asked.command(recipe), execution)
        except UserError as error:
            absent.append(str(error))
    planned = [Job(recipe, [], control_tasks(recipe, execution)) for recipe in loaded if recipe.name in logged]
    waiting = missing(planned, store, asked.controls)
    asked.require_folders(store=bool(waiting), out=False)
    with Progress(waiting, asked.quiet) as progress, resumable(planned, store, asked):
        errors = compute(planned, waiting, execution, progress, lambda job: None)
    again = _recompute(loaded, execution, store, recompute, asked.quiet) if recompute is not None else None
    errors += again.errors if again else ()
    for message in (*absent, *(f"a cell failed: {error}" for error in dict.fromkeys(errors))):
        print(f"resodectl: {message}", file=sys.stderr)
    verdicts: dict[str, list[Verdict]] = {}
    failed: dict[str, tuple[str, ...]] = {}
    for job in planned:
        name, stored = job.recipe.name, StoredCells(job.recipe, execution)
        try:
            verdicts[name] = check(job.recipe, logged[name], control_frames(job, stored))
        except UserError as error:
            verdicts[name], failed[name] = [], (str(error),)
            continue
        try:
            renew(job, verdicts[name], store, asked.folders)
        except OSError as error:
            print(f"warning: {error.filename}: not renewed ({error.strerror})", file=sys.stderr)
    acceptable = all(verdict.acceptable for of_recipe in verdicts.values() for verdict in of_recipe)
    agree = acceptable and not (again and again.differences)
    code = 3 if errors or failed else 2 if absent else 0 if agree else 1
    _report([job.recipe for job in planned], verdicts, failed, [*absent, *errors], again, asked, code)
    return code


def _report(
    recipes: "list[Recipe]",
    verdicts: "dict[str, list[Verdict]]",
    failed: dict[str, tuple[str, ...]],
    errors: list[str],
    again: "Recomputed | None",
    asked: options.Options,
    code: int,
) -> None:
    """Print the verdicts and the closing table, or one JSON document; write JUnit XML if asked.

    Args:
        failed: the measures that failed, by recipe.
        errors: what else failed.
        again: what came of the cells that were computed again.
    """
    from resodectl.claims.document import document
    from resodectl.cli.results import claims_held, print_verdicts, write_junit
    from resodectl.cli.tables import document_on_stdout, table

    if asked.junit is not None:
        write_junit(asked.junit, verdicts, failed)
    if asked.as_json:
        documents = {name: [document(verdict) for verdict in of_recipe] for name, of_recipe in verdicts.items()}
        every = [*errors, *(error for of_recipe in failed.values() for error in of_recipe)]
        report = {"exit_code": code, "errors": every, "claims": documents}
        if again:
            report["recomputed"] = {"cells": again.cells, "differences": [asdict(one) for one in again.differences]}
        document_on_stdout(report)
        return
    for recipe in recipes:
        if not asked.quiet or recipe.name in failed:
            print_verdicts(recipe, verdicts[recipe.name], failed.get(recipe.name, ()))
    stand = [(name, "no verdicts" if name in failed else claims_held(held)) for name, held in verdicts.items()]
    if stand:
        table(("recipe", "claims"), stand, fold=("claims",))
    if again:
        _print_recomputed(again)


def _recompute(
    recipes: "Sequence[Recipe]", execution: "Execution", store: "Store", most: int, quiet: bool
) -> "Recomputed":
    """Compute stored cells of recipes again: at most `most` of each, or all where it is 0.

    Raises:
        UserError: none of the cells is stored.
    """
    from resodectl.engine.executors import Pool
    from resodectl.engine.progress import Progress
    from resodectl.runs.plan import own_tasks
    from resodectl.runs.recompute import chosen, recompute

    picked = [task for recipe in recipes for task in chosen(own_tasks(recipe, execution), store, most or None)]
    tasks = list({task.address: task for task in picked}.values())
    if not tasks:
        raise UserError(f"{store.folder}: none of the cells is stored here, by today's code, so none can be compared")
    using = Pool(1 if execution.device == "cuda" else min(execution.jobs, len(tasks)))
    try:
        with Progress(tasks, quiet) as progress:
            return recompute(tasks, store, using, progress.done)
    finally:
        using.stop()


def _print_recomputed(again: "Recomputed") -> None:
    cells = f"{again.cells} stored cell{'s' if again.cells > 1 else ''} computed again"
    if not again.differences:
        print(f"\n{cells}: the same to the bit" + ("" if not again.errors else ", but for those that failed"))
        return
    print(
        f"\n{cells}: {len(again.differences)} differ. Whatever is not seeded differs each time (see docs/your-own.md);"
    )
    print("on another kind of machine than that which stored them, the last digits may differ.")
    for difference in again.differences:
        print(f"  {difference}")
