"""`resodectl check`: claims again, from the logs only, without simulating."""

import sys
from typing import TYPE_CHECKING, Any

import click

from resodectl.cli import options
from resodectl.errors import UserError

if TYPE_CHECKING:
    from resodectl.claims.verdict import Verdict
    from resodectl.recipe.load import Recipe


@click.command("check")
@click.argument("recipes", nargs=-1)
@options.every
@options.requesting
@options.computing
@options.storing
@options.placing
@click.option("--controls", is_flag=True, help="Also run the controls that need cells of their own.")
@options.reporting
def check_command(recipes: tuple[str, ...], all_recipes: bool, **given: Any) -> int:
    """Measure the claims again from the logs; exits with 1 if a judged claim does not hold or a control is broken.

    With --controls, the cells of the controls are run (those that the store lacks). A measure that fails costs the
    verdicts of its recipe alone, and exits with 3; so does a recipe that was never run, with 2.
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
            renew(job, verdicts[name], stored.cost, asked.folders)
        except OSError as error:
            print(f"warning: {error.filename}: not renewed ({error.strerror})", file=sys.stderr)
    acceptable = all(verdict.acceptable for of_recipe in verdicts.values() for verdict in of_recipe)
    code = 3 if errors or failed else 2 if absent else 0 if acceptable else 1
    _report([job.recipe for job in planned], verdicts, failed, [*absent, *errors], asked, code)
    return code


def _report(
    recipes: "list[Recipe]",
    verdicts: "dict[str, list[Verdict]]",
    failed: dict[str, tuple[str, ...]],
    errors: list[str],
    asked: options.Options,
    code: int,
) -> None:
    """Print the verdicts and the closing table, or one JSON document; write JUnit XML if asked.

    Args:
        failed: the measures that failed, by recipe.
        errors: what else failed.
    """
    from resodectl.claims.document import document
    from resodectl.cli.results import claims_held, print_verdicts, write_junit
    from resodectl.cli.tables import document_on_stdout, table

    if asked.junit is not None:
        write_junit(asked.junit, verdicts, failed)
    if asked.as_json:
        documents = {name: [document(verdict) for verdict in of_recipe] for name, of_recipe in verdicts.items()}
        every = [*errors, *(error for of_recipe in failed.values() for error in of_recipe)]
        document_on_stdout({"exit_code": code, "errors": every, "claims": documents})
        return
    for recipe in recipes:
        if not asked.quiet or recipe.name in failed:
            print_verdicts(recipe, verdicts[recipe.name], failed.get(recipe.name, ()))
    stand = [(name, "no verdicts" if name in failed else claims_held(held)) for name, held in verdicts.items()]
    if stand:
        table(("recipe", "claims"), stand, fold=("claims",))
