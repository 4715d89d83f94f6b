"""The manifest: everything about a run that is not its result: versions, device, cells, times, deviations."""

import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import resodectl
from resodectl.recipe.load import Recipe

PACKAGES = ("torch", "numpy", "scipy", "pandas", "pyarrow", "matplotlib")


def manifest(recipe: Recipe, device: str, cells: Iterable[str], log_digest: str) -> dict[str, Any]:
    """The manifest of a run, without the commit and the times; see `timed`.

    Args:
        cells: their addresses.
    """
    return {
        "recipe": recipe.name,
        "recipe_hash": recipe.hash,
        "profile": recipe.profile,
        "overrides": list(recipe.overrides),
        "first_seed": recipe.request.first_seed,
        "params": recipe.params.model_dump(mode="json"),
        "deviations": [{"key": d.key, "paper": d.paper, "here": d.here} for d in recipe.deviations],
        "because": recipe.because,
        "departs": recipe.file.departs,
        "device": device,
        "versions": {"resodectl": version(), "python": platform.python_version(), **_versions()},
        "platform": platform.platform(),
        "commit": None,
        "finished": None,
        "log": log_digest,
        "seconds": None,
        "cells": [{"address": address} for address in cells],
    }


def timed(about: dict[str, Any], took: Mapping[str, float], computed: Collection[str]) -> dict[str, Any]:
    """A manifest with the commit of the package, the time of now, and for each cell the seconds that it took.

    Args:
        took: the seconds by address, as far as they are known.
        computed: the addresses of the cells that were not reused.
    """
    cells = cells_of((cell["address"] for cell in about["cells"]), took, computed)
    seconds = round(sum(took.values()), 3)
    finished = datetime.now(UTC).isoformat(timespec="seconds")
    return {**about, "commit": _commit(), "finished": finished, "seconds": seconds, "cells": cells}


def cells_of(
    addresses: Iterable[str], took: Mapping[str, float], computed: Collection[str]
) -> list[dict[str, str | float | bool | None]]:
    """The cells of a manifest: what each took when it was computed, and whether that was earlier; see `timed`."""
    return [
        {"address": address, "seconds": took.get(address), "reused": address not in computed} for address in addresses
    ]


@cache
def version() -> str:
    """The version of resodectl."""
    return importlib.metadata.version("resodectl")


@cache
def _versions() -> dict[str, str]:
    return {package: importlib.metadata.version(package) for package in PACKAGES}


@cache
def _commit() -> str | None:
    """The commit of the checkout of the package; None if it is installed, be it inside another repository."""
    package = Path(resodectl.__file__).resolve().parent
    top = _git(package, "rev-parse", "--show-toplevel")
    if not top or Path(top).resolve() != package.parent:
        return None
    return _git(package, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*") or None


def _git(folder: Path, *args: str) -> str:
    """What git prints, or nothing if it fails."""
    try:
        done = subprocess.run(
            ["git", *args], cwd=folder, capture_output=True, text=True, errors="replace", timeout=5, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def to_json(value: Any) -> bytes:
    """JSON for files: indented, ending in a newline, no NaN."""
    return (json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode()
