"""The figure of a log: which function draws it, what its footer says, and whether it is current."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from resodectl.claims.verdict import named
from resodectl.engine.fingerprint import fingerprint
from resodectl.output.manifest import version
from resodectl.output.places import Places
from resodectl.recipe.load import Recipe


def draw(recipe: Recipe, frames: dict[str, Any], log_digest: str, places: Places) -> list[Path]:
    """Draw the figure of a log, where it is not current already."""
    from resodectl.drawing.save import Provenance, is_current, save

    analysis = f"{recipe.experiment.package}.analysis"
    provenance = Provenance(version(), recipe.hash, log_digest, fingerprint((analysis, "resodectl.drawing.save")))
    footer = footer_of(recipe)
    wanted = [(places.folder(recipe) / "figure", places.formats)]
    if places.figures is not None and not recipe.request.overrides and recipe.profile == "laptop":
        wanted.append((places.figures / recipe.name, ("png",)))
    files = []
    for stem, formats in wanted:
        paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in formats]
        stale = [path for path in paths if not is_current(path, provenance, footer)]
        if stale:
            stem.parent.mkdir(parents=True, exist_ok=True)
            save(figure_of(recipe, frames), stem, tuple(path.suffix[1:] for path in stale), provenance, footer)
        files.append(paths)
    return files[-1]


def figure_of(recipe: Recipe, frames: dict[str, Any]) -> Any:
    """The figure of a log, in the one style."""
    from resodectl.drawing.style import style

    with style():
        return drawing_of(recipe)(frames, recipe)


def drawing_of(recipe: Recipe) -> Callable[[dict[str, Any], Recipe], Any]:
    """The function that draws a recipe's figure.

    Raises:
        RecipeError: the experiment has no such function, or several and the recipe does not say which.
    """
    analysis = recipe.experiment.module("analysis")
    functions = inspect.getmembers(analysis, inspect.isfunction)
    own = [
        name.removeprefix("draw_")
        for name, f in functions
        if name.startswith("draw_") and f.__module__ == analysis.__name__
    ]
    name = recipe.file.draw or (own[0] if len(own) == 1 else "")
    return named(analysis, "draw", name, f"{recipe.path}: draw")


def footer_of(recipe: Recipe) -> str:
    """The profile, what in it differs from the paper, and what even the paper's profile leaves out."""
    parts = [f"{recipe.name}, profile {recipe.profile}"]
    if recipe.request.first_seed:
        parts.append(f"seeds from {recipe.request.first_seed}")
    if recipe.deviations:
        parts.append("; ".join(map(str, recipe.deviations)))
    if recipe.file.departs:
        parts.append(recipe.file.departs)
    return " | ".join(parts)
