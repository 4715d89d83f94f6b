"""`resodectl data list|fetch`: the data sets, where they are and how to get them."""

from pathlib import Path

import click

from resodectl.cli import options


@click.group("data")
def data_command() -> None:
    """List and fetch data sets."""


@data_command.command("list")
@options.rooting
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a table.")
def list_command(data_root: Path | None, as_json: bool) -> int:
    """List the data sets: what they are, whether they are here, and how to get them."""
    from resodectl.cli.tables import document_on_stdout, table
    from resodectl.datasets.catalogue import SETS
    from resodectl.datasets.dataset import DataError
    from resodectl.datasets.load import locate

    rows = []
    for name, facts in SETS.items():
        try:
            here = str(locate(name, data_root)[0].parent)
        except DataError:
            here = "no"
        rows.append({"name": name, "title": facts.title, "here": here, "layout": facts.layout, "fetch": facts.fetching})
    if as_json:
        document_on_stdout(rows)
    else:
        table(
            ("data set", "what it is", "here", "layout", "how to get it"),
            [tuple(row.values()) for row in rows],
            fold=("what it is", "layout", "how to get it"),
        )
    return 0


@data_command.command("fetch")
@click.argument("name")
@options.rooting
def fetch_command(name: str, data_root: Path | None) -> int:
    """Fetch the data set NAME into the folder of the real data sets, and check it."""
    from resodectl.datasets.fetch import fetch
    from resodectl.errors import UserError

    if data_root is None:
        raise UserError(f"say where to: resodectl data fetch {name} --data-root DIR (or set RESODECTL_DATA)")
    for path in fetch(name, data_root):
        print(path)
    return 0
