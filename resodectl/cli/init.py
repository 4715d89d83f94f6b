"""`resodectl init`: the shipped recipes as files to edit."""

import shlex
from pathlib import Path

import click

from resodectl.cli import options


@click.command("init")
@click.argument("folder", type=options.FOLDER, default=Path("recipes"))
@click.option("--family", "families", multiple=True, help="Only the recipes of this family (repeatable).")
def init_command(folder: Path, families: tuple[str, ...]) -> int:
    """Copy the shipped recipes to FOLDER (`recipes` by default), to edit them. Files that are there are left alone."""
    from resodectl.errors import UserError, suggestion
    from resodectl.experiment import catalogue
    from resodectl.files import write_atomically
    from resodectl.recipe.json_schema import recipe_schema
    from resodectl.runs.manifest import to_json

    for family in families:
        if family not in catalogue.families():
            raise UserError(f"there is no family '{family}'; {suggestion(family, catalogue.families())}")
    copies = {
        folder / f"{name}.yaml": path.read_bytes()
        for name, path in catalogue.shipped().items()
        if not families or name.split("/")[0] in families
    }
    copies[folder / "recipe.schema.json"] = to_json(recipe_schema())
    shown, written = options.Options().shown, 0
    for path, data in copies.items():
        if path.exists():
            print(f"left alone: {shown(path)}")
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data)
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror}); name another folder") from error
        written += 1
    command = shlex.join(["resodectl", "run", shown(next(iter(copies)))])
    print(f"{written} files written to {shown(folder)}; run one with `{command}`")
    return 0
