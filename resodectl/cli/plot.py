"""`resodectl plot`: figures again, from the logs only."""

from typing import Any

import click

from resodectl.cli import options


@click.command("plot")
@click.argument("recipes", nargs=-1)
@options.every
@options.requesting
@options.rooting
@options.placing
@options.formatting
def plot_command(recipes: tuple[str, ...], all_recipes: bool, **given: Any) -> int:
    """Draw figures again from their logs. A figure that is current is left untouched."""
    from resodectl.cli.selection import chosen
    from resodectl.runs import gallery
    from resodectl.runs.figure import draw
    from resodectl.runs.logs import recorded

    asked = options.Options(**given)
    for recipe in chosen(recipes, asked.request, every=all_recipes):
        frames, log_digest = recorded(recipe, asked.folders, asked.command(recipe), asked.execution("cpu"))
        for path in draw(recipe, frames, log_digest, asked.folders):
            print(path)
    if asked.figures is not None:
        gallery.write(asked.figures)
    return 0
