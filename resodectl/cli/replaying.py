"""`resodectl plot` and `resodectl check`: from the logs only, without simulating."""

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from resodectl.cli import options


@click.command("plot")
@click.argument("recipes", nargs=-1)
@options.every
@options.setting
@options.placing
def plot_command(
    recipes: tuple[str, ...], all_recipes: bool,
    profile: Any, sets: tuple[str, ...], seeds: int | None, first_seed: int,
    out: Path, figures: Path | None, formats: tuple[str, ...],
) -> int:  # fmt: skip
    """Draw figures again from their logs. A figure that is current is left untouched."""
    from resodectl.cli.choosing import chosen
    from resodectl.engine.run import Setting, resolve_device
    from resodectl.output.places import Places
    from resodectl.pipeline.drawing import draw
    from resodectl.recipe.load import Request

    places, setting = Places(out, figures, formats), Setting(out / "store", resolve_device("auto"))
    for recipe in chosen(recipes, Request(profile, sets, seeds, first_seed), every=all_recipes):
        frames, log_digest = _logged(recipe, places, setting)
        for path in draw(recipe, frames, log_digest, places):
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
def check_command(
    recipes: tuple[str, ...], all_recipes: bool,
    profile: Any, sets: tuple[str, ...], seeds: int | None, first_seed: int,
    device: str, jobs: int | None, data_root: Path | None, store_folder: Path, out: Path, figures: Path | None,
    formats: tuple[str, ...], controls: bool, as_json: bool, junit: Path | None, quiet: bool,
) -> int:  # fmt: skip
    """Measure the claims again from the logs; exits with 1 if a judged claim does not hold or a control is broken.

    With --controls, the cells of the controls are run (those that the store lacks).
    """
    from resodectl.cli import presenting, tables
    from resodectl.cli.choosing import chosen
    from resodectl.cli.running import resumable
    from resodectl.engine.executors import usable_cores
    from resodectl.engine.progress import Progress
    from resodectl.engine.run import Setting, resolve_device
    from resodectl.engine.store import Store
    from resodectl.files import require_writable
    from resodectl.output.places import Places
    from resodectl.pipeline.computing import compute
    from resodectl.pipeline.concluding import control_frames, measure
    from resodectl.pipeline.planning import Job, control_tasks, missing
    from resodectl.recipe.load import Request

    loaded = chosen(recipes, Request(profile, sets, seeds, first_seed), every=all_recipes)
    places = Places(out, figures, formats)
    setting = Setting(store_folder, resolve_device(device), data_root, jobs or usable_cores())
    logged = [_logged(recipe, places, setting) for recipe in loaded]
    planned = [Job(recipe, [], control_tasks(recipe, setting) if controls else {}) for recipe in loaded]
    store = Store(store_folder)
    waiting = missing(planned, store)
    if waiting:
        require_writable(store_folder, "store")
    with Progress(waiting, quiet) as progress, resumable(planned, store):
        errors = compute(planned, waiting, setting, progress, lambda job: None)
    if errors:
        for error in errors:
            print(f"resodectl: a cell failed: {error}", file=sys.stderr)
        return 3
    verdicts = {
        job.recipe.name: measure(job.recipe, frames, control_frames(job, setting), places)
        for job, (frames, _) in zip(planned, logged, strict=True)
    }
    code = 0 if all(verdict.acceptable for of_recipe in verdicts.values() for verdict in of_recipe) else 1
    if junit is not None:
        presenting.write_junit(junit, verdicts)
    if as_json:
        from resodectl.claims.verdict import document

        found = {name: [document(verdict) for verdict in of_recipe] for name, of_recipe in verdicts.items()}
        tables.document_on_stdout({"exit_code": code, "claims": found})
        return code
    for recipe in loaded:
        presenting.verdict_lines(recipe, verdicts[recipe.name])
    tables.table(("recipe", "claims"), [(name, presenting.claims_held(found)) for name, found in verdicts.items()])
    return code


def _logged(recipe: Any, places: Any, setting: Any) -> tuple[dict[str, Any], str]:
    """The tables of a recipe's log and its digest; says so if the recipe would give other cells today."""
    from resodectl.engine.run import tasks
    from resodectl.errors import UserError
    from resodectl.output import logs
    from resodectl.pipeline.planning import cells, cells_digest

    log, folder = recipe.experiment.spec.LOG, places.folder(recipe)
    options = [word for override in recipe.request.overrides for word in override.split(" ", 1)]
    command = shlex.join(["resodectl", "run", recipe.name, "--profile", recipe.profile, *options])
    tables, made_of = logs.read(folder, log, command)
    try:
        today = cells_digest(tasks(cells(recipe), setting))
    except UserError:
        today = made_of  # without the data set nothing can be said about it
    if today != made_of:
        print(f"warning: {folder} was made with another code or setting than today's; run `{command}`", file=sys.stderr)
    return {kind: table.to_pandas() for kind, table in tables.items()}, logs.digest(folder, log)
