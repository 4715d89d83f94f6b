"""`resodectl run` and `resodectl FAMILY`."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from resodectl.cli import options


@click.command("run")
@click.argument("recipes", nargs=-1)
@options.every
@options.setting
@options.computing
@options.storing
@options.placing
@click.option("--controls", is_flag=True, help="Also run the controls that need cells of their own.")
@click.option("--strict", is_flag=True, help="Exit with 1 if a judged claim does not hold or a control is broken.")
@click.option("--shard", metavar="I/N", help="Only compute the I-th of N parts of the cells; draw nothing.")
@click.option("--force", is_flag=True, help="Compute the cells again even if they are stored.")
@click.option("--dry-run", is_flag=True, help="Say what would be computed, and compute nothing.")
@options.reporting
def run_command(recipes: tuple[str, ...], all_recipes: bool, **asked: Any) -> int:
    """Run recipes: compute their cells, draw their figures, check their claims.

    RECIPE is family/name, a bare name if it is unique, or the path of a YAML file.
    """
    return execute(recipes, None, all_recipes, **asked)


def family_command(name: str, about: str) -> click.Command:
    """The command of one family: like `run`, for its recipes only."""

    def callback(recipes: tuple[str, ...], **asked: Any) -> int:
        return execute(recipes, name, False, **asked)

    params = [param for param in run_command.params if param.name != "all_recipes"]
    about = f"{about}\n\nWithout RECIPE: every shipped recipe of the family."
    return click.Command(name, params=params, callback=callback, help=about, short_help=about.split("\n")[0])


def execute(
    references: tuple[str, ...],
    family: str | None,
    all_recipes: bool,
    *,
    profile: Any,
    sets: tuple[str, ...],
    seeds: int | None,
    first_seed: int,
    device: str,
    jobs: int | None,
    data_root: Path | None,
    store_folder: Path,
    out: Path,
    figures: Path | None,
    formats: tuple[str, ...],
    controls: bool,
    strict: bool,
    shard: str | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
    junit: Path | None,
    quiet: bool,
) -> int:
    """Run recipes; returns the exit code."""
    from resodectl.cli import presenting
    from resodectl.cli.choosing import chosen
    from resodectl.engine import run as engine
    from resodectl.engine.executors import usable_cores
    from resodectl.engine.progress import Progress
    from resodectl.engine.store import Store
    from resodectl.files import require_writable
    from resodectl.output.places import Places
    from resodectl.pipeline.computing import compute
    from resodectl.pipeline.concluding import Result, finish
    from resodectl.pipeline.planning import Job, missing, plan
    from resodectl.recipe.load import Request

    part = engine.parse_shard(shard) if shard else None
    loaded = chosen(references, Request(profile, sets, seeds, first_seed), family, all_recipes)
    setting = engine.Setting(store_folder, engine.resolve_device(device), data_root, jobs or usable_cores())
    places, store = Places(out, figures, formats), Store(store_folder)
    planned = plan(loaded, setting, controls)
    needed = missing(planned, store, force)
    if dry_run:
        presenting.plans(planned, as_json)
        return 0
    for folder, option in ((store_folder, "store"), (out, "out"), (figures, "figures")):
        if folder is not None:
            require_writable(folder, option)

    waiting = engine.shard(needed, *part) if part else needed
    results: list[Result] = []
    with Progress(waiting, quiet) as progress:

        def ready(job: Job) -> None:
            if part is None:
                results.append(finish(job, setting, places))
                progress.say(presenting.line(results[-1]))

        with resumable(planned, store):
            errors = compute(planned, waiting, setting, progress, ready, force)
    for error in errors:
        print(f"resodectl: a cell failed: {error}", file=sys.stderr)
    if part:
        left = len(missing(planned, store))
        print(
            f"shard {shard}: {len(waiting) - len(errors)} cells computed, {left} of all still missing", file=sys.stderr
        )
        return 3 if errors else 0
    order = [recipe.name for recipe in loaded]
    results.sort(key=lambda result: order.index(result.recipe.name))
    code = 3 if errors else 1 if strict and not all(result.acceptable for result in results) else 0
    presenting.report(results, as_json, junit, code)
    return code


@contextmanager
def resumable(planned: Sequence[Any], store: Any) -> Iterator[None]:
    """On an interrupt, say what is kept and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        kept = len(store.find(task.address for job in planned for task in job.all_tasks))
        print(f"\nresodectl: {kept} finished cells are kept in {store.folder}; go on with", file=sys.stderr)
        print(f"  resodectl {shlex.join(sys.argv[1:])}", file=sys.stderr)
        raise
