"""The fingerprint of the code that determines a result, found by reading it, without importing it.

It covers the given modules and all modules that they import, anywhere and transitively, except for the standard
library and installed packages, which have a version. Comments, docstrings, formatting and the prose of `setting(...)`
and `Column(...)` leave it as it is.
"""

import hashlib
import importlib.metadata
import importlib.util
import sys
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from resodectl.engine.sources import source

_DISTRIBUTIONS = {"sklearn": "scikit-learn", "yaml": "pyyaml", "PIL": "pillow"}


@cache
def closure(entries: tuple[str, ...]) -> dict[str, Path]:
    """The modules that `entries` import (themselves included) and that no version stands for, with their files."""
    roots = {name.partition(".")[0] for name in entries}
    modules: dict[str, Path] = {}
    waiting = [parent for name in entries for parent in _with_parents(name)]
    while waiting:
        name = waiting.pop()
        root = name.partition(".")[0]
        if name in modules or (root not in roots and (root in sys.stdlib_module_names or _version(root))):
            continue
        file = _file(name)
        if file is None:
            continue
        modules[name] = file
        for imported in _imports(name, file):
            waiting.extend(_with_parents(imported))
    return dict(sorted(modules.items()))


@cache
def fingerprint(entries: tuple[str, ...], packages: tuple[str, ...] = ("",)) -> str:
    """SHA-256 of the code of `closure(entries)`, or of what in it belongs to some packages."""
    digest = hashlib.sha256()
    for name, file in closure(entries).items():
        if name.startswith(packages):
            digest.update(f"{name}\n{source(file).code}\n".encode())
    return digest.hexdigest()


@cache
def third_party(entries: tuple[str, ...]) -> dict[str, str]:
    """The versions of the installed packages that `closure(entries)` imports directly."""
    roots = {name.partition(".")[0] for name in entries}
    used = {
        imported.partition(".")[0] for name, file in closure(entries).items() for imported in _imports(name, file)
    } - roots
    return {name: version for name in sorted(used - sys.stdlib_module_names) if (version := _version(name))}


@cache
def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(_DISTRIBUTIONS.get(package, package))
    except importlib.metadata.PackageNotFoundError:
        return None


@cache
def _with_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


@cache
def _file(name: str) -> Path | None:
    """The source file of a module, or None if `name` is no module (but a name inside one). Nothing is imported."""
    spec = _spec(name)
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


@cache
def _spec(name: str) -> ModuleSpec | None:
    parent = name.rpartition(".")[0]
    if not parent:
        return importlib.util.find_spec(name)
    loaded = sys.modules.get(parent)
    above = None if loaded else _spec(parent)
    folders = getattr(loaded, "__path__", None) if loaded else above and above.submodule_search_locations
    return PathFinder.find_spec(name, folders) if folders else None


@cache
def _imports(name: str, file: Path) -> tuple[str, ...]:
    """All names that a module imports, absolute, wherever the import stands, except for type checkers only."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    names: list[str] = []
    for module, taken in source(file).imports:
        base = importlib.util.resolve_name(module, package)
        names.append(base)
        names.extend(f"{base}.{inside}" for inside in taken)
    return tuple(names)
