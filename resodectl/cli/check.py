"""`resodectl check`: claims again, from the logs only, without simulating."""

import sys
from typing import TYPE_CHECKING, Any

import click

from resodectl.cli import options
from resodectl.errors import UserError

if TYPE_CHECKING:
    from resodectl.claims.verdict import Verdict


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
    verdicts of its recipe alone, and exits with 3.
    """
    from resodectl.claims.document import document
    from resodectl.claims.measures import check, check_measures
    from resodectl.cli.results import claims_held, print_verdicts, write_junit
    from resodectl.cli.run import resumable
    from resodectl.cli.selection import chosen
    from resodectl.cli.tables import document_on_stdout, table
    from resodectl.engine.progress import Progress
    from resodectl.engine.store import Store
    from resodectl.runs import gallery
    from resodectl.runs.compute import compute
    from resodectl.runs.finish import write_verdicts
    from resodectl.runs.logs import recorded
    from resodectl.runs.plan import Job, control_tasks, missing
    from resodectl.runs.stored import StoredCells, control_frames

    asked = options.Options(**given)
    loaded = chosen(recipes, asked.request, every=all_recipes)
    for recipe in loaded:
        check_measures(recipe)
    execution, store = asked.execution(), Store(asked.store_folder)
    logged = [recorded(recipe, asked.folders, asked.command(recipe), execution)[0] for recipe in loaded]
    planned = [Job(recipe, [], control_tasks(recipe, execution)) for recipe in loaded]
    waiting = missing(planned, store, asked.controls)
    asked.require_folders(store=bool(waiting))
    with Progress(waiting, asked.quiet) as progress, resumable(planned, store):
        errors = compute(planned, waiting, execution, progress, lambda job: None)
    for error in dict.fromkeys(errors):
        print(f"resodectl: a cell failed: {error}", file=sys.stderr)
    verdicts: dict[str, list[Verdict]] = {}
    failed: dict[str, tuple[str, ...]] = {}
    for job, frames in zip(planned, logged, strict=True):
        name, controls = job.recipe.name, control_frames(job, StoredCells(job.recipe, execution))
        try:
            verdicts[name] = check(job.recipe, frames, controls)
            write_verdicts(job.recipe, verdicts[name], asked.folders)
        except UserError as error:
            verdicts[name], failed[name] = [], (str(error),)
    if asked.figures is not None:
        gallery.write(asked.figures)
    acceptable = all(verdict.acceptable for of_recipe in verdicts.values() for verdict in of_recipe)
    code = 3 if errors or failed else 0 if acceptable else 1
    if asked.junit is not None:
        write_junit(asked.junit, verdicts, failed)
    if asked.as_json:
        documents = {name: [document(verdict) for verdict in of_recipe] for name, of_recipe in verdicts.items()}
        every = [*errors, *(error for of_recipe in failed.values() for error in of_recipe)]
        document_on_stdout({"exit_code": code, "errors": every, "claims": documents})
        return code
    for recipe in loaded:
        print_verdicts(recipe, verdicts[recipe.name], failed.get(recipe.name, ()))
    stand = [(name, "no verdicts" if name in failed else claims_held(held)) for name, held in verdicts.items()]
    table(("recipe", "claims"), stand)
    return code
