"""`resodectl plot`: figures again, from the logs only."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from resodectl.cli import options
from resodectl.errors import UserError

if TYPE_CHECKING:
    from resodectl.recipe.load import Recipe


@click.command("plot")
@click.argument("recipes", nargs=-1)
@options.every
@options.requesting
@options.rooting
@options.placing
@options.formatting
def plot_command(recipes: tuple[str, ...], all_recipes: bool, **given: Any) -> int:
    """Draw figures again from their logs. A figure that is current is left untouched; one that fails exits with 3."""
    from resodectl.cli.selection import chosen
    from resodectl.runs import gallery
    from resodectl.runs.figure import drawing_of
    from resodectl.runs.logs import recorded

    asked, code = options.Options(**given), 0
    loaded = chosen(recipes, asked.request, every=all_recipes)
    for recipe in loaded:
        drawing_of(recipe)
    for recipe in loaded:
        frames, log_digest = recorded(recipe, asked.folders, asked.command(recipe), asked.execution("cpu"))
        try:
            print(*_drawn(recipe, frames, log_digest, asked), sep="\n")
        except UserError as error:
            print(f"resodectl: {error}", file=sys.stderr)
            code = 3
    if asked.figures is not None:
        gallery.write(asked.figures)
    return code


def _drawn(recipe: "Recipe", frames: dict[str, Any], log_digest: str, asked: options.Options) -> list[Path]:
    from resodectl.runs.figure import draw

    return draw(recipe, lambda: frames, log_digest, asked.folders)
