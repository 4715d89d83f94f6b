"""The fingerprint of what stands in files and determines a result, found by reading, without importing anything.

It covers the given modules and all modules that they import, anywhere and transitively, except for the standard
library and installed packages, for which a version stands; and all files beside the modules of a family (tables,
arrays, compiled modules), save those that are known to play no part. Comments, docstrings, formatting and the prose of
`setting(...)` and `Column(...)` leave it as it is.
"""

import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from resodectl.engine.distributions import version
from resodectl.engine.seen import Seen, seen
from resodectl.engine.sources import source
from resodectl.errors import UserError

FAMILIES = "resodectl.families."
_CATALOGUE = "resodectl.experiment.catalogue"  # it imports families by their names
# Files of a family that play no part in a result. Modules are not among "all files": they count if they are imported.
_MODULES = (".py", ".pyc", ".pyi")
_TEXTS = (".md", ".rst", ".orig", ".rej", ".bak", ".swp", ".tmp", "~")
_seen: dict[Path, Seen] = {}  # what was seen of each file when it was read


class NotPython(UserError):
    """A module that cannot be parsed."""


@cache
def closure(entries: tuple[str, ...]) -> dict[str, Path]:
    """The modules that `entries` import (themselves included) and that no version stands for, with their files.

    Raises:
        UserError: a module imports another one in a way that cannot be read.
        NotPython: a module is none.
    """
    roots = {name.partition(".")[0] for name in entries}
    modules: dict[str, Path] = {}
    waiting = [parent for name in entries for parent in _with_parents(name)]
    while waiting:
        name = waiting.pop()
        root = name.partition(".")[0]
        if name in modules or (root not in roots and (root in sys.stdlib_module_names or version(root))):
            continue
        file = _file(name)
        if file is None:
            continue
        modules[name] = file
        for imported in _imports(name, file):
            waiting.extend(_with_parents(imported))
    return dict(sorted(modules.items()))


@cache
def files(entries: tuple[str, ...]) -> dict[str, Path]:
    """The files of `closure(entries)` by module, and those beside the modules of families.

    The latter are called `<package>/<path in its folder>`.

    Raises:
        UserError: as in `closure`.
    """
    found = closure(entries)
    beside = {
        part: path for name, file in found.items() if name.startswith(FAMILIES) for part, path in _beside(name, file)
    }
    return dict(sorted((found | beside).items()))


@cache
def parts(entries: tuple[str, ...]) -> dict[str, str]:
    """The SHA-256 of each of `files(entries)`; of a module, of its code.

    Raises:
        UserError: a file cannot be read; and as in `closure`.
    """
    return {name: _digest(path) for name, path in files(entries).items()}


@cache
def fingerprint(entries: tuple[str, ...], packages: tuple[str, ...] = ("",)) -> str:
    """SHA-256 of the `parts` of `entries`, or of those that belong to some packages."""
    digest = hashlib.sha256()
    for name, of_part in parts(entries).items():
        if name.startswith(packages):
            digest.update(f"{name}\n{of_part}\n".encode())
    return digest.hexdigest()


@cache
def third_party(entries: tuple[str, ...]) -> dict[str, str]:
    """The versions of the installed packages that `closure(entries)` imports directly."""
    roots = {name.partition(".")[0] for name in entries}
    used = {
        imported.partition(".")[0] for name, file in closure(entries).items() for imported in _imports(name, file)
    } - roots
    return {name: known for name in sorted(used - sys.stdlib_module_names) if (known := version(name))}


def watched(entries: tuple[str, ...]) -> tuple[Seen, ...]:
    """What was seen of each of `files(entries)` when it was read."""
    parts(entries)
    return tuple(_seen[path] for path in files(entries).values())


def environment_reads(entries: tuple[str, ...]) -> list[str]:
    """`file:line` of what reads the environment in the modules of families among `closure(entries)`."""
    return [
        f"{file}:{line}"
        for name, file in closure(entries).items()
        if name.startswith(FAMILIES) and file.suffix == ".py"
        for line in source(file).environment
    ]


@cache
def _with_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


@cache
def _file(name: str) -> Path | None:
    """The file of a module, or None if `name` is no module (but a name inside one). Nothing is imported."""
    spec = _spec(name)
    return Path(spec.origin) if spec and spec.origin and spec.has_location else None


@cache
def _spec(name: str) -> ModuleSpec | None:
    parent = name.rpartition(".")[0]
    if not parent:
        with suppress(ValueError):  # such as __main__, which has none
            return importlib.util.find_spec(name)
        return None
    loaded = sys.modules.get(parent)
    above = None if loaded else _spec(parent)
    folders = getattr(loaded, "__path__", None) if loaded else above and above.submodule_search_locations
    return PathFinder.find_spec(name, folders) if folders else None


@cache
def _imports(name: str, file: Path) -> tuple[str, ...]:
    """All names that a module imports, absolute, wherever the import stands, except for type checkers only.

    A `*` takes all modules of the folder that it stands for, for it may import them.

    Raises:
        UserError: an import cannot be read.
        NotPython: the module is none.
    """
    if file.suffix != ".py":  # a compiled module
        return ()
    try:
        read = source(file)
    except SyntaxError as error:
        raise NotPython(f"{file}:{error.lineno or 1}: is not Python: {error.msg}") from error
    if read.hidden and name != _CATALOGUE:
        line, call = read.hidden[0]
        raise UserError(
            f"{file}:{line}: what '{call}' loads cannot be read here, so that a change of it would not be noticed; "
            "write a plain import (inside a function if need be), or the module's name in quotes"
            + ("" if name.startswith("resodectl.") else f"; or install {name.partition('.')[0]} without -e")
        )
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    names: list[str] = []
    for module, taken in read.imports:
        try:
            base = importlib.util.resolve_name(module, package)
        except ImportError:  # above the top: whoever imports it can say more
            continue
        names.append(base)
        names.extend(f"{base}.{inside}" for inside in taken)
        if "*" in taken and (folder := _file(base)) and folder.name == "__init__.py":
            names.extend(f"{base}.{beside.stem}" for beside in folder.parent.glob("*.py"))
    return tuple(names)


@cache
def _digest(file: Path) -> str:
    _seen[file] = seen(file)
    if file.suffix == ".py":
        return source(file).code
    try:
        with open(file, "rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); what it holds may determine a result") from error


def _beside(name: str, file: Path) -> Iterator[tuple[str, Path]]:
    """The files of the folders of a family's module, from its own up to the family's.

    What stands below another experiment of the family, a folder with a `spec.py`, belongs to that one alone.
    """
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    folder = file.parent
    while package.startswith(FAMILIES):
        for path in _files_in(folder):
            yield f"{package}/{path.relative_to(folder).as_posix()}", path
        package, folder = package.rpartition(".")[0], folder.parent


@cache
def _files_in(folder: Path) -> tuple[Path, ...]:
    return tuple(_files_below(folder, ()))


def _files_below(folder: Path, above: tuple[str, ...]) -> Iterator[Path]:
    """The files, those of links to folders included; a folder that holds itself is entered once."""
    real = os.path.realpath(folder)
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        if entry.name.startswith((".", "#")) or entry.name == "__pycache__" or real in above:
            continue
        if entry.is_dir():
            if not (path / "spec.py").is_file():
                yield from _files_below(path, (*above, real))
        elif entry.is_file() and not entry.name.endswith((*_MODULES, *_TEXTS)):
            yield path
