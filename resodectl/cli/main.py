"""The entry point: a group whose commands are imported when they are called, and one place for all errors."""

import importlib
import io
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import click

from resodectl.cli.options import FOLDER
from resodectl.errors import UserError

# Every command with its line in the overview, so that --help imports none of their modules, which have their names.
COMMANDS = {
    "run": "Run recipes: compute, draw and check.",
    "list": "List recipes with their papers and figures.",
    "show": "Show a recipe (its setting, its distance from the paper, its cost) or an experiment.",
    "plot": "Draw figures again, from their logs only.",
    "check": "Check claims again, from the logs only.",
    "sweep": "Vary parameters of a recipe, and show where each claim holds.",
    "compare": "Compare two sets of results: verdicts, estimates, settings.",
    "report": "Write the gallery as one HTML file.",
    "data": "List and fetch data sets.",
    "store": "List, verify and clean the store of finished cells.",
    "new": "Write an experiment of your own that runs at once, to change it.",
    "init": "Copy the shipped recipes to a folder, to edit them.",
    "schema": "Print the JSON Schema of recipes, for editors.",
}
ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class Terminated(KeyboardInterrupt):
    """SIGTERM, handled like an interrupt."""


class Commands(click.Group):
    """The commands, and one more for each family."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from resodectl.experiment.catalogue import families

        return [*families(), *COMMANDS]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in COMMANDS:
            module = importlib.import_module(f"resodectl.cli.{name}")
            return getattr(module, f"{name}_command")
        from resodectl.experiment.catalogue import families

        if name not in families():
            return None
        from resodectl.cli.run import family_command

        return family_command(name, families()[name])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            from resodectl.errors import suggestion

            raise UserError(
                f"there is no command or family '{args[0]}'; {suggestion(args[0], self.list_commands(ctx))}"
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from resodectl.experiment.catalogue import families

        with formatter.section("Families (run, draw and check their recipes)"):
            formatter.write_dl([(name, about.split("\n")[0]) for name, about in families().items()])
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _load_plugins(ctx: click.Context, param: click.Parameter, folders: tuple[Path, ...]) -> None:
    from resodectl.experiment import catalogue

    commands = frozenset(COMMANDS)
    catalogue.add_installed(commands)
    for folder in folders:
        catalogue.add_plugins(folder, commands)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="resodectl")
@click.option(
    "--plugins", type=FOLDER, multiple=True, envvar="RESODECTL_PLUGINS", is_eager=True,
    expose_value=False, callback=_load_plugins, help="A folder with families of your own (repeatable).",
)  # fmt: skip
def cli() -> None:
    """Reproduce the figures of papers on the continuous limits of deep learning, and check what each figure claims."""


def main() -> NoReturn:
    """Run the command line and end the process: 0 done, 1 a claim does not hold, 2 bad usage, 3 a cell failed."""
    for variable in ONE_THREAD:
        os.environ[variable] = "1"
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed by the caller
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it, sums on a GPU are not reproducible
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what its encoding lacks is escaped
            stream.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(_exit_code())


def _terminate(signum: int, frame: Any) -> None:
    raise Terminated


def _exit_code() -> int:
    try:
        code = cli.main(standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except UserError as error:
        return _say(str(error), error.exit_code)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort) as error:
        return _interrupted(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except SystemExit:
        if "PacifyFlushWrapper" in type(sys.stdout).__name__:  # click's answer to a reader that has closed the pipe
            return 0
        return _say("a simulation, measure or drawing has ended the process", 3)
    except OSError as error:
        return _say(f"{error.filename or 'a file'}: {error.strerror or error}", 2)
    except Exception as error:
        if any(isinstance(cause, KeyboardInterrupt) for cause in _causes(error)):  # it came during an import
            return _interrupted(error)
        with tempfile.NamedTemporaryFile(
            "w", prefix="resodectl-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as kept:
            kept.write(traceback.format_exc())
        return _say(f"an error in resodectl itself ({type(error).__name__}); its traceback is in {kept.name}", 3)


def _interrupted(error: BaseException) -> int:
    terminated = any(isinstance(cause, Terminated) for cause in _causes(error))
    return _say("terminated", 143) if terminated else _say("interrupted", 130)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what it was raised from, and so on."""
    while error is not None:
        yield error
        error = error.__cause__


def _say(message: str, code: int) -> int:
    print(f"resodectl: {message}".encode(errors="backslashreplace").decode(), file=sys.stderr)
    return code
