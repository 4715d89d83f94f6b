"""The figure of a log: which function draws it, what its footer says, and whether it is current."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from resodectl.claims.measures import named
from resodectl.drawing.provenance import Provenance, is_current
from resodectl.engine.fingerprint import fingerprint
from resodectl.errors import UserError, in_short
from resodectl.files import write_if_changed
from resodectl.recipe.load import Recipe
from resodectl.runs.exhibit import show_picture
from resodectl.runs.folders import OutputFolders
from resodectl.runs.manifest import version


def draw(recipe: Recipe, frames: Callable[[], dict[str, Any]], log_digest: str, folders: OutputFolders) -> list[Path]:
    """Draw the figure of a log, where it is not current already; returns its files, the gallery's if there is one.

    Args:
        frames: gives the rows of the log by kind; it is called only if there is something to draw.

    Raises:
        UserError: the drawing fails, is no figure, or cannot be laid out or saved.
    """
    provenance = Provenance(version(), recipe.hash, log_digest, drawing_code(recipe))
    footer, stem = footer_of(recipe), folders.folder(recipe) / "figure"
    shown = folders.gallery(recipe)
    formats = dict.fromkeys((*folders.formats, *(("png",) if shown else ())))
    paths = [stem.with_name(f"figure.{suffix}") for suffix in formats]
    stale = tuple(path.suffix[1:] for path in paths if not is_current(path, provenance, footer))
    figure = figure_of(recipe, frames()) if stale else None
    try:
        if figure is not None:
            from resodectl.drawing.save import save

            save(figure, stem, stale, provenance, footer)
        if shown is None:
            return paths
        show_picture(shown, stem.with_name("figure.png").read_bytes())
        further = [path for path in paths if path.suffix != ".png"]
        for path in further:
            write_if_changed(shown.with_suffix(path.suffix), path.read_bytes())
    except OSError as error:
        what = f"{error.filename or stem} cannot be written ({error.strerror or error})"
        raise UserError(f"{recipe.path}: its figure {what}") from error
    except (Exception, SystemExit) as error:  # such as a title that is no mathematics
        raise UserError(f"{recipe.path}: its figure cannot be laid out: {in_short(error)}") from error
    return [shown, *(shown.with_suffix(path.suffix) for path in further)]


def drawing_code(recipe: Recipe) -> str:
    """The fingerprint of what determines a picture: the code of the family, of drawing, of estimates and of laws."""
    family = recipe.experiment.package.rpartition(".")[0]
    entries = (f"{recipe.experiment.package}.analysis", "resodectl.drawing.save")
    return fingerprint(
        entries, (f"{family}.", f"{family}/", "resodectl.drawing.", "resodectl.claims.", "resodectl.numerics.")
    )


def figure_of(recipe: Recipe, frames: dict[str, Any]) -> Any:
    """The figure of a log, in the one style.

    Raises:
        UserError: the drawing fails, or is no figure.
    """
    from matplotlib.figure import Figure

    from resodectl.drawing.style import style

    function = drawing_of(recipe)
    what = f"{recipe.path}: {function.__name__} of {recipe.file.experiment}"
    try:
        with style():
            figure = function(frames, recipe)
    except (Exception, SystemExit) as error:
        raise UserError(f"{what} failed: {in_short(error)}") from error
    if not isinstance(figure, Figure):
        raise UserError(f"{what} gives {type(figure).__name__}, not a matplotlib Figure")
    return figure


def drawing_of(recipe: Recipe) -> Callable[[dict[str, Any], Recipe], Any]:
    """The function that draws a recipe's figure.

    Raises:
        RecipeError: the experiment has no such function, or several and the recipe does not say which.
    """
    analysis = recipe.experiment.module("analysis")
    functions = inspect.getmembers(analysis, inspect.isfunction)
    drawings = [
        name.removeprefix("draw_")
        for name, f in functions
        if name.startswith("draw_") and f.__module__ == analysis.__name__
    ]
    name = recipe.file.draw or (drawings[0] if len(drawings) == 1 else "")
    return named(analysis, "draw", name, f"{recipe.location(('draw',))}: draw")


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
