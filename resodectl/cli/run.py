"""`resodectl run` and `resodectl FAMILY`."""

import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from resodectl.cli import options


@click.command("run")
@click.argument("recipes", nargs=-1)
@options.every
@options.requesting
@options.computing
@options.storing
@options.placing
@options.showing
@options.formatting
@click.option("--controls", is_flag=True, help="Also run the controls that need cells of their own.")
@click.option("--strict", is_flag=True, help="Exit with 1 if a judged claim does not hold or a control is broken.")
@click.option("--shard", metavar="I/N", help="Only compute the I-th of N parts of the cells; draw nothing.")
@click.option("--force", is_flag=True, help="Compute the cells again even if they are stored.")
@click.option("--dry-run", is_flag=True, help="Say what would be computed, and compute nothing.")
@options.reporting
def run_command(recipes: tuple[str, ...], all_recipes: bool, **given: Any) -> int:
    """Run recipes: compute their cells, draw their figures, check their claims.

    RECIPE is family/name, a bare name if it is unique, or the path of a YAML file or of a folder that holds such files.
    """
    return execute(recipes, None, all_recipes, options.Options(**given))


def family_command(name: str, about: str) -> click.Command:
    """The command of one family: like `run`, for its recipes only."""

    def callback(recipes: tuple[str, ...], **given: Any) -> int:
        return execute(recipes, name, False, options.Options(**given))

    params = [param for param in run_command.params if param.name != "all_recipes"]
    about = f"{about}\n\nWithout RECIPE: every shipped recipe of the family."
    return click.Command(name, params=params, callback=callback, help=about, short_help=about.split("\n")[0])


def execute(references: tuple[str, ...], family: str | None, all_recipes: bool, asked: options.Options) -> int:
    """Run recipes; returns the exit code."""
    from resodectl.cli.results import finished_line, print_plans, print_report, print_shard
    from resodectl.cli.selection import chosen
    from resodectl.engine import run as engine
    from resodectl.engine import sources
    from resodectl.engine.progress import Progress
    from resodectl.engine.store import Store
    from resodectl.runs import gallery
    from resodectl.runs.compute import compute
    from resodectl.runs.finish import Result, finish
    from resodectl.runs.plan import Job, missing, plan

    started = time.perf_counter()
    part = engine.parse_shard(asked.shard) if asked.shard is not None else None
    loaded = chosen(references, asked.request, family, all_recipes)
    execution, store = asked.execution(), Store(asked.store_folder)
    planned = plan(loaded, execution)
    needed = missing(planned, store, asked.controls, asked.force)
    if asked.dry_run:
        print_plans(planned, asked.controls, asked.as_json)
        return 0
    waiting = engine.shard(needed, *part) if part else needed
    asked.require_folders(store=bool(waiting))
    results: list[Result] = []
    with Progress(waiting, asked.quiet) as progress:

        def ready(job: Job) -> None:
            if part is None:
                results.append(finish(job, execution, asked.folders))
                progress.say(finished_line(results[-1], asked.shown))

        with resumable(planned, store, asked):
            errors = compute(planned, waiting, execution, progress, ready, asked.force)
    sources.keep(store.folder)
    for error in dict.fromkeys(errors):
        print(f"resodectl: a cell failed: {error}", file=sys.stderr)
    if part:
        left = len(missing(planned, store, asked.controls))
        print_shard(str(asked.shard), len(waiting) - len(errors), left, asked.as_json)
        return 3 if errors else 0
    if asked.figures is not None:
        gallery.write(asked.figures)
        aside = [recipe.name for recipe in loaded if not asked.folders.shows(recipe)]
        if aside:
            which = aside[0] if len(aside) == 1 else f"{aside[0]} and {len(aside) - 1} more"
            print(f"warning: the gallery shows unmodified laptop runs, and not this one of {which}", file=sys.stderr)
    order = [recipe.name for recipe in loaded]
    results.sort(key=lambda result: order.index(result.recipe.name))
    failed = errors or any(result.errors for result in results)
    code = 3 if failed else 1 if asked.strict and not all(result.acceptable for result in results) else 0
    print_report(results, asked, code, time.perf_counter() - started)
    return code


@contextmanager
def resumable(planned: Sequence[Any], store: Any, asked: options.Options) -> Iterator[None]:
    """On an interrupt, say what is kept and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        kept = len(store.find(task.address for job in planned for task in job.wanted(controls=True)))
        again = [word for word in sys.argv[1:] if word != "--force"]
        print(
            f"\nresodectl: {kept} finished cells are kept in {asked.shown(store.folder)}; go on with", file=sys.stderr
        )
        print(f"  resodectl {shlex.join(again)}", file=sys.stderr)
        raise
