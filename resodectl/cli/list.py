"""`resodectl list`: what there is."""

import sys

import click


@click.command("list")
@click.argument("families", nargs=-1)
@click.option("--experiments", is_flag=True, help="List the experiments, which recipes of your own may use.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a table.")
def list_command(families: tuple[str, ...], experiments: bool, as_json: bool) -> int:
    """List the shipped recipes, of all FAMILIES or of those named."""
    from resodectl.cli.tables import document_on_stdout, table
    from resodectl.errors import UserError, suggestion
    from resodectl.experiment import catalogue
    from resodectl.recipe.reading import RecipeError, headline

    for family in families:
        if family not in catalogue.families():
            raise UserError(f"there is no family '{family}'; {suggestion(family, catalogue.families())}")
    if experiments:
        names = [name for name in catalogue.experiments() if not families or name.split("/")[0] in families]
        about = {}
        for name in names:
            try:
                about[name] = (catalogue.experiment(name).spec.__doc__ or "").strip().split("\n")[0]
            except UserError as error:
                print(f"warning: {error}", file=sys.stderr)
        if as_json:
            document_on_stdout([{"experiment": name, "about": text} for name, text in about.items()])
        else:
            table(("experiment", "what it computes"), about.items(), fold=("what it computes",))
        return 0
    rows = []
    for name, path in catalogue.shipped().items():
        if not families or name.split("/")[0] in families:
            try:
                rows.append({"recipe": name, **headline(path)})
            except RecipeError as error:
                print(f"warning: {error}".encode(errors="backslashreplace").decode(), file=sys.stderr)
    if as_json:
        document_on_stdout(rows)
    else:
        table(
            ("recipe", "paper", "figure", "what it shows"),
            [tuple(row.values()) for row in rows],
            fold=("figure", "what it shows"),
        )
    return 0
