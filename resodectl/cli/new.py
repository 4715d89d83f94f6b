"""`resodectl new`: a family of one's own, as files that run."""

import keyword
import re
import shlex
from pathlib import Path

import click

from resodectl.cli import options
from resodectl.errors import UserError

EXAMPLE = "walks/scaling"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_NO_STRINGS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}  # to YAML 1.1 or 1.2, without quotes


@click.command("new")
@click.argument("name", metavar="FAMILY/EXPERIMENT")
@click.option(
    "--folder", type=options.FOLDER, default=Path("plugins"), show_default=True, help="The folder of your families."
)
def new_command(name: str, folder: Path) -> int:
    """Write an experiment of your own that runs at once: a spec, a simulation, an analysis and a recipe, to change.

    A family that is in the folder already gets one experiment more. No file is overwritten.
    """
    from resodectl.files import write_atomically

    shown = options.Options().shown
    family, experiment = _checked(name, folder)
    files, about = _files(family, experiment, folder), _inside(family, folder) / "__init__.py"
    if about.is_file():  # the family has other experiments
        del files[about]
    there = [path for path in files if path.exists()]
    if there:
        raise UserError(f"{there[0]}: is there already, and nothing is overwritten; take another name, or remove it")
    for path, text in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text.encode())
        except OSError as error:
            raise UserError(
                f"{path}: cannot be written ({error.strerror}); name another folder with --folder"
            ) from error
        print(shown(path))
    recipe = _recipe(family, experiment, folder).stem
    command = ["resodectl", "--plugins", shown(folder), family, recipe, "--controls"]
    print(f"\nRun it with\n  {shlex.join(command)}")
    return 0


def _checked(name: str, folder: Path) -> tuple[str, str]:
    """The family and the experiment that a name names.

    Raises:
        UserError: it is not of the form family/experiment, or names what others have.
    """
    from resodectl.cli.main import COMMANDS
    from resodectl.experiment import catalogue

    family, slash, experiment = name.partition("/")
    for part in (family, experiment):
        if not slash or not _NAME.fullmatch(part) or keyword.iskeyword(part):
            raise UserError(
                f"'{name}' is no name of an experiment; write family/experiment, each of small letters, digits and "
                "single dashes, such as walks/mean-square"
            )
    if family == "recipes":
        raise UserError(f"the name 'recipes' is taken by the folder of recipes, {folder / 'recipes'}; take another")
    if family in COMMANDS or family in catalogue.families_outside(folder):
        raise UserError(
            f"the name '{family}' is taken by a command, or by a family outside {folder}; take another for the family"
        )
    return family, experiment


def _files(family: str, experiment: str, folder: Path) -> dict[Path, str]:
    """The files of the example under the names that are asked for, by where they go."""
    import resodectl

    example = Path(resodectl.__file__).parent / "example"
    old_family, old_experiment = EXAMPLE.split("/")
    inside = _inside(family, folder)
    files = {inside / "__init__.py": (example / old_family / "__init__.py").read_text("utf-8")}
    for source in sorted((example / EXAMPLE).glob("*.py")):
        files[inside / experiment.replace("-", "_") / source.name] = source.read_text("utf-8")
    text = _recipe(old_family, old_experiment, example).read_text("utf-8")
    quoted = f'"{family}"' if family in _NO_STRINGS else family
    text = text.replace(f"family: {old_family}\n", f"family: {quoted}\n")
    files[_recipe(family, experiment, folder)] = text.replace(EXAMPLE, f"{family}/{experiment}")
    return files


def _inside(family: str, folder: Path) -> Path:
    return folder / family.replace("-", "_")


def _recipe(family: str, experiment: str, folder: Path) -> Path:
    return folder / "recipes" / family / f"{experiment}-figure.yaml"
