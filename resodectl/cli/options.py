"""The options that commands share, and what their values ask for."""

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from resodectl.errors import UserError

if TYPE_CHECKING:
    from resodectl.engine.run import Execution
    from resodectl.recipe.load import Recipe, Request
    from resodectl.runs.folders import OutputFolders

FORMATS = ("png", "pdf", "svg")
OUT, STORE = Path("runs"), Path("runs/store")


@dataclass(frozen=True)
class Options:
    """The values of the shared options; a command that lacks some leaves them at their defaults.

    Folders and files are absolute, so that nothing that is run later can move them by going to another folder.
    """

    profile: Any = "laptop"
    sets: tuple[str, ...] = ()
    seeds: int | None = None
    first_seed: int = 0
    device: str = "auto"
    jobs: int | None = None
    data_root: Path | None = None
    store_folder: Path = field(default_factory=STORE.absolute)
    out: Path = field(default_factory=OUT.absolute)
    figures: Path | None = None
    formats: tuple[str, ...] = ("png",)
    controls: bool = False
    strict: bool = False
    shard: str | None = None
    force: bool = False
    dry_run: bool = False
    as_json: bool = False
    junit: Path | None = None
    quiet: bool = False
    started_in: Path = field(default_factory=Path.cwd)

    def shown(self, path: Path) -> str:
        """A path for the person at the shell: below the folder that the command was started in, relative to it."""
        return str(path.relative_to(self.started_in) if path.is_relative_to(self.started_in) else path)

    @property
    def request(self) -> "Request":
        """What is asked of a recipe."""
        from resodectl.recipe.load import Request

        return Request(self.profile, self.sets, self.seeds, self.first_seed)

    @property
    def folders(self) -> "OutputFolders":
        """Where results go."""
        from resodectl.runs.folders import OutputFolders

        return OutputFolders(self.out, self.figures, self.formats)

    def execution(self, device: str | None = None) -> "Execution":
        """Where and on what cells are computed; `device` stands for the option.

        Raises:
            UserError: CUDA was asked for, and there is none.
        """
        from resodectl.engine.executors import usable_cores
        from resodectl.engine.run import Execution, resolve_device

        jobs = self.jobs or usable_cores()
        return Execution(self.store_folder, resolve_device(device or self.device), self.data_root, jobs)

    def command(self, recipe: "Recipe") -> str:
        """The command that makes the log of a recipe."""
        from resodectl.experiment.catalogue import shipped

        named = recipe.name if shipped().get(recipe.name) == recipe.path else str(recipe.path)
        words = ["resodectl", "run", named, "--profile", self.profile]
        words += [word for override in recipe.overrides for word in override.split(" ", 1)]
        folders = (
            ("--out", self.out, self.started_in / OUT),
            ("--store", self.store_folder, self.started_in / STORE),
            ("--data-root", self.data_root, None),
        )
        words += [
            word for option, here, usual in folders if here and here != usual for word in (option, self.shown(here))
        ]
        return shlex.join(words)

    def require_folders(self, store: bool, out: bool = True) -> None:
        """Make sure, before anything is computed, that what is asked for can be written.

        Args:
            store: whether cells are to be stored.
            out: whether results are to be written, or only renewed where that can be.

        Raises:
            UserError: a folder cannot be written to, or is a part of a family.
        """
        from resodectl.experiment.catalogue import family_around
        from resodectl.files import require_writable

        if self.junit and self.junit.is_dir():
            raise UserError(f"{self.junit}: is a folder; name a file with --junit")
        junit = self.junit.parent if self.junit else None
        folders = {
            "out": self.out if out else None,
            "figures": self.figures,
            "junit": junit,
            "store": self.store_folder if store else None,
        }
        for option, folder in folders.items():
            if folder is None:
                continue
            if family := family_around(folder):
                raise UserError(
                    f"--{option} {self.shown(folder)}: is inside the family '{family}', all of whose files determine "
                    "its results; name another place"
                )
            require_writable(folder, option)


def _formats(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    formats = tuple(dict.fromkeys(part.strip().lower() for part in value.split(",") if part.strip()))
    unknown = [part for part in formats if part not in FORMATS]
    if unknown or not formats:
        raise UserError(f"--format {value}: '{','.join(unknown)}' is no format; known: {', '.join(FORMATS)}")
    return formats


def _stack(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


class Place(click.Path):
    """A folder or file, made absolute at once; `~` is a home folder, in a variable or a Makefile too."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        text = os.path.expanduser(value)
        if not text:
            self.fail("the name is empty", param, ctx)
        if text.startswith("~"):
            self.fail(
                f"there is no home folder {text.split('/')[0]}; write ./{text} for a folder of that name", param, ctx
            )
        return Path(os.path.abspath(text))


FOLDER = Place()

requesting = _stack(
    click.option("--profile", type=click.Choice(["smoke", "laptop", "paper"]), default="laptop", show_default=True,
                 help="How large: for tests, for a laptop, or the paper's own setting."),
    click.option("--set", "sets", metavar="KEY=VALUE", multiple=True, help="Change a parameter (repeatable)."),
    click.option("--seeds", type=click.IntRange(min=1), help="How many seeds."),
    click.option("--first-seed", type=click.IntRange(min=0, max=2**31), default=0, show_default=True,
                 help="The first seed: another number gives fresh draws."),
)  # fmt: skip
rooting = click.option("--data-root", type=FOLDER, envvar="RESODECTL_DATA", help="The folder of the real data sets.")
computing = _stack(
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True),
    click.option("-j", "--jobs", type=click.IntRange(min=1), help="Worker processes [default: the usable cores]."),
    rooting,
)  # fmt: skip
storing = click.option(
    "--store", "store_folder", type=FOLDER, default=STORE, envvar="RESODECTL_STORE", show_default=True,
    help="The folder of finished cells.",
)  # fmt: skip
placing = click.option("--out", type=FOLDER, default=OUT, show_default=True, help="The folder of results.")
showing = click.option(
    "--figures", type=FOLDER, help="Also write the gallery there: figures and verdicts of unmodified laptop runs."
)
formatting = click.option(
    "--format", "formats", default="png", show_default=True, callback=_formats, help="Formats: png,pdf,svg."
)
documenting = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a table.")
reporting = _stack(
    documenting,
    click.option("--junit", type=FOLDER, help="Also write the verdicts as JUnit XML to this file."),
    click.option("-q", "--quiet", is_flag=True, help="No progress, no verdicts; only errors and the closing table."),
)
every = click.option("--all", "all_recipes", is_flag=True, help="Every shipped recipe.")
