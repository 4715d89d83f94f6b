"""`resodectl report`."""

from pathlib import Path

import click

from resodectl.cli import options


@click.command("report")
@click.option("--figures", type=options.FOLDER, default=Path("figures"), show_default=True, help="The gallery.")
@click.option("--out", type=options.FOLDER, default=Path("report.html"), show_default=True, help="The file.")
def report_command(figures: Path, out: Path) -> int:
    """Write a gallery as one HTML file, which needs no network: pictures, claims, verdicts, commands.

    A gallery is what `resodectl run --figures DIR` writes. The page can be searched and filtered by family, paper,
    verdict, data, and whether the paper's own setting was run.
    """
    from resodectl.errors import UserError
    from resodectl.files import write_if_changed
    from resodectl.report.collect import cards
    from resodectl.report.page import page

    if out.is_dir():
        raise UserError(f"{out}: is a folder; name a file with --out")
    found = cards(figures)
    data = page(found).encode()
    write_if_changed(out, data)
    print(f"{out}: {len(found)} figures, {len(data) / 1e6:.1f} MB")
    return 0
