"""What there is: families, experiments and shipped recipes, found from the folders that hold them.

A folder of families has one folder a family, and `recipes/<family>/*.yaml` beside them. The package has one such
folder; installed packages add theirs through the entry point group `resodectl.families`, readers through `--plugins`.
"""

import importlib
import importlib.metadata
import importlib.util
import os
import sys
import traceback
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import resodectl
import resodectl.families
from resodectl.errors import UserError, in_short, suggestion

PARTS = ("spec", "simulation", "analysis")
SPEC = ("Params", "Point", "LOG", "SEED_BLOCK", "cells")
_plugin_folders: list[Path] = []


@dataclass(frozen=True)
class Experiment:
    """A folder of three files; each is imported when first asked for."""

    name: str

    @property
    def package(self) -> str:
        family, experiment = self.name.split("/")
        return f"resodectl.families.{family.replace('-', '_')}.{experiment.replace('-', '_')}"

    def module(self, part: str) -> ModuleType:
        """The imported module `part`: spec, simulation or analysis.

        Raises:
            UserError: it is missing or cannot be imported; the file and the line are named.
        """
        try:
            return importlib.import_module(f"{self.package}.{part}")
        except (Exception, SystemExit) as error:
            where = _where(error, "/".join((*self.package.split(".")[2:], f"{part}.py")))
            raise UserError(f"{where}the {part} of {self.name} cannot be imported: {in_short(error)}") from error

    @property
    def spec(self) -> ModuleType:
        """The imported spec.

        Raises:
            UserError: it cannot be imported, or lacks a part of what a spec declares.
        """
        return _checked(self.module("spec"), self.name)


@cache
def _checked(spec: ModuleType, name: str) -> ModuleType:
    what = f"{spec.__file__}: the spec of {name}"
    lacking = [part for part in SPEC if not hasattr(spec, part)]
    if lacking:
        raise UserError(f"{what} has no {', '.join(lacking)}")
    if "seeds" not in getattr(spec.Params, "model_fields", {}):
        raise UserError(f"{what}: Params must be a Settings with the field 'seeds'")
    if not isinstance(spec.SEED_BLOCK, int) or spec.SEED_BLOCK < 1:
        raise UserError(f"{what}: SEED_BLOCK must be a whole number of seeds, at least 1")
    if not isinstance(spec.LOG, dict) or not spec.LOG:
        raise UserError(f"{what}: LOG must be a mapping from each kind to its columns")
    return spec


def _where(error: BaseException, file: str) -> str:
    """`file:line: ` of the last line of a family's file that an error came through; "" if none is known."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: "
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.endswith(file):
            return f"{frame.filename}:{frame.lineno}: "
    return ""


def add_plugins(folder: Path, commands: frozenset[str] = frozenset()) -> None:
    """Make the families of a folder known, as if they stood in the package.

    Raises:
        UserError: the folder is missing, holds no family, or a family would hide a command or a family.
    """
    if folder.resolve() in _plugin_folders:
        return
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder of families; --plugins takes a folder that holds <family>/")
    names = _family_names(folder)
    if not names:
        raise UserError(
            f"{folder}: holds no family; a family is a folder <family>/<experiment>/ with {', '.join(PARTS)}"
        )
    taken = commands | families_outside(folder)
    for name in names:
        if name.replace("_", "-") in taken:
            raise UserError(f"{folder / name}: the name '{name}' is taken by a command or a family; rename the folder")
    resodectl.families.__path__.append(str(folder.resolve()))
    _plugin_folders.append(folder.resolve())
    for cached in (families, shipped):
        cached.cache_clear()
    importlib.invalidate_caches()


def families_outside(folder: Path) -> set[str]:
    """The names of the families that stand elsewhere than in a folder."""
    elsewhere = (Path(known) for known in resodectl.families.__path__ if Path(known).resolve() != folder.resolve())
    return {name.replace("_", "-") for known in elsewhere for name in _family_names(known)}


def family_around(folder: Path) -> str | None:
    """The name of the family in whose own folder a folder stands, or would stand."""
    for known in resodectl.families.__path__:
        for name in _family_names(Path(known)):
            if folder.resolve().is_relative_to(Path(known).resolve() / name):
                return name.replace("_", "-")
    return None


def plugin_folders() -> tuple[str, ...]:
    """The folders added so far, for worker processes to add them too."""
    return tuple(map(str, _plugin_folders))


def add_installed(commands: frozenset[str]) -> None:
    """Make the families of installed packages known (entry point group `resodectl.families`).

    A package that is broken, or that would hide a command or a family, is left out with a warning.
    """
    for entry in importlib.metadata.entry_points(group="resodectl.families"):
        try:
            package = importlib.util.find_spec(entry.value)
            for folder in (package.submodule_search_locations or ()) if package else ():
                add_plugins(Path(folder), commands)
        except (Exception, SystemExit) as error:
            _warn(f"the installed families {entry.value} are left out: {in_short(error)}")


def _warn(what: str) -> None:
    print(f"warning: {what}".encode(errors="backslashreplace").decode(), file=sys.stderr)


def _family_names(folder: Path) -> list[str]:
    return sorted(
        child.name
        for child in folder.iterdir()
        if child.name.isidentifier() and ((child / "__init__.py").is_file() or any(child.glob("*/spec.py")))
    )


@cache
def families() -> dict[str, str]:
    """The families by name, with the docstring that says what each is about; broken ones are left out and warned of."""
    docstrings = {}
    for folder in resodectl.families.__path__:
        for name in _family_names(Path(folder)):
            try:
                module = importlib.import_module(f"resodectl.families.{name}")
            except (Exception, SystemExit) as error:
                where = _where(error, f"{name}/__init__.py")
                _warn(f"{where}the family {name.replace('_', '-')} is left out: {in_short(error)}")
                continue
            docstrings[name.replace("_", "-")] = (module.__doc__ or "").strip()
    return docstrings


def experiment(name: str) -> Experiment:
    """The experiment `family/name`.

    Raises:
        UserError: there is none of that name; the nearest one is named.
    """
    if name not in experiments():
        raise UserError(f"there is no experiment '{name}'; {suggestion(name, experiments())}")
    return Experiment(name)


def experiments() -> list[str]:
    """The names of all experiments, `family/name`."""
    return sorted(
        f"{family.name}/{spec.parent.name}".replace("_", "-")
        for folder in resodectl.families.__path__
        for family in Path(folder).iterdir()
        for spec in family.glob("*/spec.py")
    )


def _recipe_folders() -> list[Path]:
    package = Path(resodectl.__file__).parent
    return [package / "recipes", *(folder / "recipes" for folder in _plugin_folders)]


@cache
def shipped() -> dict[str, Path]:
    """Every shipped recipe, `family/name` to its file."""
    return {
        f"{path.parent.name}/{path.stem}": path
        for folder in _recipe_folders()
        for path in sorted(folder.glob("*/*.yaml"))
    }


def locate(reference: str, family: str | None = None) -> list[Path]:
    """The file that a reference names: `family/name`, a bare name if it is unique, or a path; or those of a folder.

    Raises:
        UserError: nothing or several things have that name, or it belongs to another family than `family`.
    """
    known = shipped()
    path = Path(os.path.expanduser(reference))
    if reference in known:
        path = known[reference]
    elif ("/" in reference and path.suffix in (".yaml", ".yml")) or path.is_file():
        return [path]
    elif path.is_dir():
        return _recipes_in(path)
    elif reference in families():
        raise UserError(f"'{reference}' is a family; run all its recipes with `resodectl {reference}`")
    else:
        named = [name for name in known if name.split("/")[1] == reference]
        of_family = [name for name in named if name.split("/")[0] == family]
        matches = of_family or named
        if len(matches) > 1:
            raise UserError(f"'{reference}' names several recipes: {', '.join(matches)}; write family/name")
        if not matches and path.suffix in (".yaml", ".yml"):
            raise UserError(f"{reference}: there is no such file")
        if not matches:
            names = known if "/" in reference else {name.split("/")[1] for name in known}
            raise UserError(f"there is no recipe '{reference}'; {suggestion(reference, names)}")
        path = known[matches[0]]
    owner = path.parent.name
    if family is not None and owner != family:
        raise UserError(f"'{reference}' is a recipe of the family {owner}; run `resodectl {owner} {path.stem}`")
    return [path]


def _recipes_in(folder: Path) -> list[Path]:
    """The recipes of a folder, and of the folders in it, as `resodectl init` makes them; hidden ones are left out."""
    found = [path for pattern in ("*.y*ml", "*/*.y*ml") for path in sorted(folder.glob(pattern))]
    recipes = [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    if not recipes:
        raise UserError(f"{folder}: there is no recipe in this folder (*.yaml, or <family>/*.yaml)")
    return recipes
