"""`resodectl schema`: what a recipe may say, for editors."""

import click


@click.command("schema")
def schema_command() -> int:
    """Print the JSON Schema of recipes: with it, editors complete and check them as you type."""
    from resodectl.cli.tables import document_on_stdout
    from resodectl.recipe.json_schema import recipe_schema

    document_on_stdout(recipe_schema())
    return 0
