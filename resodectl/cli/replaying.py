"""`resodectl plot` and `resodectl check`: from the logs only, without simulating."""

import json
import sys
from typing import Any

import click

from resodectl.cli import options
from resodectl.cli.asking import Asked


@click.command("plot")
@click.argument("recipes", nargs=-1)
@options.every
@options.setting
@options.rooting
@options.placing
@options.formatting
def plot_command(recipes: tuple[str, ...], all_recipes: bool, **given: Any) -> int:
    """Draw figures again from their logs. A figure that is current is left untouched."""
    from resodectl.cli.choosing import chosen
    from resodectl.pipeline.drawing import draw

    asked = Asked(**given)
    for recipe in chosen(recipes, asked.request, every=all_recipes):
        frames, log_digest = _logged(recipe, asked)
        for path in draw(recipe, frames, log_digest, asked.places):
            print(path)
    return 0


@click.command("check")
@click.argument("recipes", nargs=-1)
@options.every
@options.setting
@options.computing
@options.storing
@options.placing
@click.option("--controls", is_flag=True, help="Also run the controls that need cells of their own.")
@options.reporting
def check_command(recipes: tuple[str, ...], all_recipes: bool, **given: Any) -> int:
    """Measure the claims again from the logs; exits with 1 if a judged claim does not hold or a control is broken.

    With --controls, the cells of the controls are run (those that the store lacks).
    """
    from resodectl.claims.verdict import document
    from resodectl.cli import presenting, tables
    from resodectl.cli.choosing import chosen
    from resodectl.cli.running import resumable
    from resodectl.engine.progress import Progress
    from resodectl.engine.store import Store
    from resodectl.pipeline.computing import compute
    from resodectl.pipeline.concluding import StoredCells, control_frames, measure
    from resodectl.pipeline.planning import Job, control_tasks, missing

    asked = Asked(**given)
    loaded = chosen(recipes, asked.request, every=all_recipes)
    setting, store = asked.setting(), Store(asked.store_folder)
    logged = [_logged(recipe, asked)[0] for recipe in loaded]
    planned = [Job(recipe, [], control_tasks(recipe, setting)) for recipe in loaded]
    waiting = missing(planned, store, asked.controls)
    asked.require_folders(store=bool(waiting))
    with Progress(waiting, asked.quiet) as progress, resumable(planned, store):
        errors = compute(planned, waiting, setting, progress, lambda job: None)
    for error in dict.fromkeys(errors):
        print(f"resodectl: a cell failed: {error}", file=sys.stderr)
    verdicts = {
        job.recipe.name: measure(
            job.recipe, frames, control_frames(job, StoredCells(job.recipe, setting)), asked.places
        )
        for job, frames in zip(planned, logged, strict=True)
    }
    acceptable = all(verdict.acceptable for of_recipe in verdicts.values() for verdict in of_recipe)
    code = 3 if errors else 0 if acceptable else 1
    if asked.junit is not None:
        presenting.write_junit(asked.junit, verdicts, {})
    if asked.as_json:
        found = {name: [document(verdict) for verdict in of_recipe] for name, of_recipe in verdicts.items()}
        tables.document_on_stdout({"exit_code": code, "errors": errors, "claims": found})
        return code
    for recipe in loaded:
        presenting.verdict_lines(recipe, verdicts[recipe.name])
    tables.table(("recipe", "claims"), [(name, presenting.claims_held(found)) for name, found in verdicts.items()])
    return code


def _logged(recipe: Any, asked: Asked) -> tuple[dict[str, Any], str]:
    """The tables of a recipe's log and its digest; says so if today's code would give other cells.

    Raises:
        UserError: there is no log, it is not the one that the run wrote, or the run was of other params.
    """
    from resodectl.engine.run import Setting, tasks
    from resodectl.errors import UserError
    from resodectl.output import logs
    from resodectl.pipeline.planning import cells

    folder, command = asked.places.folder(recipe), asked.command(recipe)
    try:
        about = json.loads((folder / "manifest.json").read_bytes())
        made_of = {cell["address"] for cell in about["cells"]}
        params, device, log_digest = about["params"], about["device"], about["log"]
    except FileNotFoundError as error:
        raise UserError(f"{folder}: there is no log yet; run `{command}` first") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder}/manifest.json: is no manifest of a run; run `{command}` again") from error
    if params != json.loads(recipe.params.model_dump_json()):
        raise UserError(f"{folder}: the log was made with other params than the recipe's; run `{command}` again")
    tables = logs.read(folder, recipe.experiment.spec.LOG, log_digest, command)
    try:
        today = {task.address for task in tasks(cells(recipe), Setting(asked.store_folder, device, asked.data_root))}
    except UserError:
        today = set()  # without the data set nothing can be said about it
    if not today <= made_of:
        print(f"warning: {folder} was made with other code or versions than today's; run `{command}`", file=sys.stderr)
    return {kind: table.to_pandas() for kind, table in tables.items()}, log_digest
