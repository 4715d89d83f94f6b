"""The manifest: everything about a run that is not its result: versions, device, cells, times, deviations."""

import importlib.metadata
import json
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import resodectl
from resodectl.recipe.load import Recipe

PACKAGES = ("torch", "numpy", "scipy", "pandas", "pyarrow", "matplotlib")


def manifest(recipe: Recipe, device: str, cells: list[dict[str, Any]], log_digest: str) -> dict[str, Any]:
    """The manifest of a run, without the commit and the time; see `dated`.

    Args:
        cells: for each cell its address, whether it was reused, and the seconds that it took when it was computed.
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
        "seconds": round(sum(cell["seconds"] for cell in cells), 3),
        "cells": cells,
    }


def dated(about: dict[str, Any]) -> dict[str, Any]:
    """A manifest with the commit of the package and the time of now; to ask for the commit takes its time."""
    return {**about, "commit": _commit(), "finished": datetime.now(UTC).isoformat(timespec="seconds")}


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
