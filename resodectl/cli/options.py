"""The options that commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from resodectl.cli.asking import OUT, STORE
from resodectl.errors import UserError

FORMATS = ("png", "pdf", "svg")


def _formats(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    formats = tuple(dict.fromkeys(part.strip().lower() for part in value.split(",") if part.strip()))
    unknown = [part for part in formats if part not in FORMATS]
    if unknown or not formats:
        raise UserError(f"--format {value}: '{','.join(unknown)}' is no format; known: {', '.join(FORMATS)}")
    return formats


def _stack(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


FOLDER = click.Path(path_type=Path)

setting = _stack(
    click.option("--profile", type=click.Choice(["smoke", "laptop", "paper"]), default="laptop", show_default=True,
                 help="How large: for tests, for a laptop, or the paper's own setting."),
    click.option("--set", "sets", metavar="KEY=VALUE", multiple=True, help="Change a parameter (repeatable)."),
    click.option("--seeds", type=click.IntRange(min=1), help="How many seeds."),
    click.option("--first-seed", type=click.IntRange(min=0, max=2**31), default=0, show_default=True,
                 help="The first seed: another number gives fresh draws."),
)  # fmt: skip
rooting = click.option("--data-root", type=FOLDER, envvar="RESODECTL_DATA", help="The folder of the real data sets.")
computing = _stack(
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True),
    click.option("-j", "--jobs", type=click.IntRange(min=1), help="Worker processes [default: the usable cores]."),
    rooting,
)  # fmt: skip
storing = click.option(
    "--store", "store_folder", type=FOLDER, default=STORE, envvar="RESODECTL_STORE", show_default=True,
    help="The folder of finished cells.",
)  # fmt: skip
placing = _stack(
    click.option("--out", type=FOLDER, default=OUT, show_default=True, help="The folder of results."),
    click.option("--figures", type=FOLDER, help="Also write the gallery there: figures and verdicts of laptop runs."),
)
formatting = click.option(
    "--format", "formats", default="png", show_default=True, callback=_formats, help="Formats: png,pdf,svg."
)
reporting = _stack(
    click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a table."),
    click.option("--junit", type=FOLDER, help="Also write the verdicts as JUnit XML to this file."),
    click.option("-q", "--quiet", is_flag=True, help="No progress, no messages but errors."),
)  # fmt: skip
every = click.option("--all", "all_recipes", is_flag=True, help="Every shipped recipe.")
