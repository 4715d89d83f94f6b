"""`resodectl plot`: figures again, from the logs only."""

import sys
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
@options.documenting
def plot_command(recipes: tuple[str, ...], all_recipes: bool, **given: Any) -> int:
    """Draw figures again from their logs. A figure that is current is left untouched.

    A figure that fails costs itself alone, and exits with 3; a recipe that was never run exits with 2.
    """
    from resodectl.cli.selection import chosen
    from resodectl.cli.tables import document_on_stdout
    from resodectl.errors import UserError
    from resodectl.runs.figure import draw, drawing_of
    from resodectl.runs.logs import recorded

    asked, code = options.Options(**given), 0
    loaded = chosen(recipes, asked.request, every=all_recipes)
    for recipe in loaded:
        drawing_of(recipe)
    documents = []
    for recipe in loaded:
        figures, errors, exit_code = [], [], 2
        try:
            frames, log_digest = recorded(recipe, asked.folders, asked.command(recipe), asked.execution("cpu"))
            exit_code = 3
            figures = draw(recipe, frames.copy, log_digest, asked.folders)
        except UserError as error:
            print(f"resodectl: {error}", file=sys.stderr)
            errors, code = [str(error)], max(code, exit_code)
        documents.append({"recipe": recipe.name, "figures": [asked.shown(path) for path in figures], "errors": errors})
    if asked.as_json:
        document_on_stdout({"exit_code": code, "recipes": documents})
        return code
    for document in documents:
        for path in document["figures"]:
            print(path)
    return code
