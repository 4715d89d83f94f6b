"""Which version stands for an installed package, if one does.

A version stands for files that do not change under it: those that an installer has copied, and listed with their
hashes. An editable install (`pip install -e`, in any of its ways) lists none of its modules; its code must be read.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import re
import site
import sysconfig
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path

# To look up which distribution holds a package of another name takes half a second; not for these.
_DISTRIBUTIONS = {"sklearn": "scikit-learn", "yaml": "pyyaml", "PIL": "pillow", "mpl_toolkits": "matplotlib"}


@cache
def version(package: str) -> str | None:
    """What stands for the code of an installed package (its top-level name); None if its code must be read.

    For a package that was not installed from an index, but from a folder, a repository or a file, the version may stay
    where the code changes: then the hash of its installed files is a part of it.
    """
    spec = _spec(package)
    if spec is None:
        return None
    if spec.origin is None or not spec.has_location:
        return _of_namespace(package, spec.submodule_search_locations or ())
    distribution = _distribution(package)
    return _of_file(package, Path(spec.origin), distribution) if distribution else None


def _of_file(package: str, file: Path, distribution: importlib.metadata.Distribution) -> str | None:
    """The version of a distribution if it has installed the file from which a package is imported."""
    root = Path(str(distribution.locate_file("")))
    record = distribution.read_text("RECORD")
    if _is_editable(distribution) or not file.is_relative_to(root):
        return None
    if record is None:  # of an old installer, or of a system's packages: copied to where packages are installed
        return _number(distribution) if root in _installed() else None
    listed = f"{file.relative_to(root).as_posix()},sha256="
    if not record.startswith(listed) and f"\n{listed}" not in record:
        return None
    if distribution.read_text("direct_url.json") is None:
        return _number(distribution)
    files = sorted(line for line in record.splitlines() if line.startswith((f"{package}/", f"{package}.")))
    return f"{_number(distribution)} {hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]}"


def _of_namespace(package: str, folders: Iterable[str]) -> str | None:
    """The versions of the distributions that share a package without an `__init__.py`, if all are installed."""
    if not all(is_installed(Path(folder)) for folder in folders):
        return None
    known = _DISTRIBUTIONS.get(package)
    found = [importlib.metadata.distribution(name) for name in ([known] if known else _by_package().get(package, ()))]
    if not found or any(_is_editable(one) for one in found):
        return None
    return ", ".join(f"{one.name} {_number(one)}" for one in found)


@cache
def is_installed(file: Path) -> bool:
    """Whether a file belongs to Python or stands where packages are installed."""
    return any(file.is_relative_to(folder) for folder in (*_installed(), *_standard()))


@cache
def _installed() -> frozenset[Path]:
    paths = sysconfig.get_paths()
    return frozenset(
        map(Path, (paths["purelib"], paths["platlib"], *site.getsitepackages(), site.getusersitepackages()))
    )


@cache
def _standard() -> frozenset[Path]:
    paths = sysconfig.get_paths()
    return frozenset(map(Path, (paths["stdlib"], paths["platstdlib"])))


def _distribution(package: str) -> importlib.metadata.Distribution | None:
    """The distribution that a top-level package belongs to."""
    with suppress(importlib.metadata.PackageNotFoundError, ValueError):
        return importlib.metadata.distribution(_DISTRIBUTIONS.get(package, package))
    names = _by_package().get(package, ())
    return importlib.metadata.distribution(names[0]) if len(names) == 1 else None


@cache
def _by_package() -> dict[str, list[str]]:
    """The distributions by the packages that they hold; this reads the lists of all of them."""
    return {package: sorted(set(names)) for package, names in importlib.metadata.packages_distributions().items()}


@cache
def _spec(package: str) -> ModuleSpec | None:
    """How a top-level package would be imported."""
    try:
        return importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None


def _number(distribution: importlib.metadata.Distribution) -> str:
    """The version of a distribution; `distribution.version` reads all that it says of itself, which takes long."""
    about = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    said = re.search(r"^Version: *(\S+)", about, re.MULTILINE)
    return said[1] if said else distribution.version


def _is_editable(distribution: importlib.metadata.Distribution) -> bool:
    try:
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
        return bool(origin.get("dir_info", {}).get("editable", False))
    except (ValueError, AttributeError):
        return True
