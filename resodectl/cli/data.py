"""`resodectl data list|fetch|verify`: the data sets, where they are, how to get them, and whether they are whole."""

import shutil
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from resodectl.cli import options

if TYPE_CHECKING:
    from resodectl.datasets.catalogue import Facts


@click.group("data")
def data_command() -> None:
    """List, fetch and verify data sets."""


@data_command.command("list")
@options.rooting
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
def list_command(data_root: Path | None, as_json: bool) -> int:
    """List the data sets: what they are, whether they are here, and how to get them."""
    from resodectl.cli.tables import document_on_stdout
    from resodectl.datasets.catalogue import SETS

    _require_folder(data_root)
    found = {name: _folder(name, data_root) for name in SETS}
    if as_json:
        document_on_stdout([_entry(name, facts, found[name]) for name, facts in SETS.items()])
        return 0
    width = shutil.get_terminal_size().columns
    for name, facts in SETS.items():
        print(f"{name}: {facts.title}")
        for line in _lines(facts, found[name]):
            print(
                textwrap.fill(
                    line,
                    width,
                    initial_indent="  ",
                    subsequent_indent="    ",
                    break_long_words=False,
                    break_on_hyphens=False,
                )
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


@data_command.command("verify")
@click.argument("names", nargs=-1)
@options.rooting
def verify_command(names: tuple[str, ...], data_root: Path | None) -> int:
    """Compare the data sets NAMES, or all that are here, with what is published of them."""
    from resodectl.datasets.catalogue import SETS
    from resodectl.datasets.dataset import DataError
    from resodectl.datasets.verify import verify

    _require_folder(data_root)
    sound = True
    for name in names or [name for name in SETS if _folder(name, data_root)]:
        try:
            verified = verify(name, data_root)
        except DataError as error:
            print(f"resodectl: {error}", file=sys.stderr)
            sound = False
            continue
        checked = f"{verified.with_checksum} of {len(verified.files)} files have published checksums, which match"
        files = checked if verified.with_checksum else "no checksum is published"
        print(f"{name}: {_sizes(verified.train, verified.test)} as published; {files}")
    return 0 if sound else 2


def _require_folder(data_root: Path | None) -> None:
    """Refuse a folder of data sets that is none: nothing in it would be found, and nothing would be said of that."""
    from resodectl.errors import UserError

    if data_root is not None and not data_root.is_dir():
        raise UserError(f"{data_root}: is no folder; name the one of the data sets with --data-root")


def _folder(name: str, data_root: Path | None) -> Path | None:
    """The folder of a data set that is here."""
    from resodectl.datasets.dataset import DataError
    from resodectl.datasets.load import locate

    try:
        return locate(name, data_root)[0].parent
    except DataError:
        return None


def _lines(facts: "Facts", folder: Path | None) -> Iterator[str]:
    shape = " x ".join(map(str, facts.shape)) + (" pixels" if len(facts.shape) == 3 else " features")
    yield f"{_sizes(sum(facts.train), sum(facts.test))} of {shape}; {facts.megabytes:g} MB"
    if facts.licence:
        yield f"licence: {facts.licence}; source: {facts.source}"
    yield f"files: {facts.layout}"
    yield f"here: {folder}" if folder else f"not here; to get it: {facts.fetching}"


def _sizes(train: int, test: int) -> str:
    return f"{train:,} training and {test:,} test examples" if test else f"{train:,} examples without a split"


def _entry(name: str, facts: "Facts", folder: Path | None) -> dict[str, Any]:
    about = {"title": facts.title, "source": facts.source, "licence": facts.licence or None}
    where = {"here": str(folder) if folder else None, "layout": facts.layout, "fetch": facts.fetching}
    return {"name": name, **about, "train": sum(facts.train), "test": sum(facts.test), **where}
