"""What a recipe's file must be beyond its shape: names that exist, and rows that its experiment's log can have."""

import json
from collections.abc import Iterable
from typing import Any

from resodectl.errors import suggestion
from resodectl.experiment import catalogue
from resodectl.experiment.columns import Column
from resodectl.recipe.papers import papers
from resodectl.recipe.reading import Document, KeyPath, RecipeError
from resodectl.recipe.schema import Claim, Near, Profile, Range, RecipeFile, Selection

LONGEST_STEM = 200  # bytes: with a hash and an ending behind it, a name has at most 255
_FITS: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int64": (int,),
    "float32": (int, float),
    "float64": (int, float),
    "string": (str,),
}


def check_stem(stem: str, source: str) -> None:
    """Refuse a file name that could not name the folder of the results.

    Raises:
        RecipeError: it starts with a dot, has characters that cannot be shown, or is too long.
    """
    if stem.startswith(".") or not stem.isprintable():
        raise RecipeError(
            f"{source!a}: rename the file; a recipe's name starts with no dot and has letters that can be shown"
        )
    if len(stem.encode()) > LONGEST_STEM:
        raise RecipeError(f"{source}: rename the file; a recipe's name has at most {LONGEST_STEM} bytes")


def check_names(file: RecipeFile, profile: Profile, document: Document) -> None:
    """Refuse a family, an experiment or a profile that there is not, and a profile without its reason.

    Raises:
        RecipeError: with the place, and the nearest name that there is.
    """
    for key, known in (("family", catalogue.families()), ("experiment", catalogue.experiments())):
        value = getattr(file, key)
        if value not in known:
            raise RecipeError(f"{document.location((key,))}: there is no {key} '{value}'; {suggestion(value, known)}")
    if isinstance(file.paper, str) and file.paper not in papers():
        raise RecipeError(
            f"{document.location(('paper',))}: there is no paper '{file.paper}' (describe your own as paper: {{title, "
            f"authors, year}}); {suggestion(file.paper, papers())}"
        )
    for name, changes in file.profiles.items():
        because = changes.get("because")
        if not isinstance(because, str) or not because:
            raise RecipeError(
                f"{document.location(('profiles', name))}: the profile must say why it differs: 'because'"
            )
    if profile not in (*file.profiles, "laptop", "paper"):
        known_profiles = ", ".join(dict.fromkeys((*file.profiles, "laptop", "paper")))
        raise RecipeError(
            f"{document.location(('profiles',))}: there is no profile '{profile}'; known: {known_profiles}"
        )


def check_claims(claims: Iterable[Claim], log: dict[str, tuple[Column, ...]], document: Document) -> None:
    """Refuse claims and controls that look at kinds, columns or values that the log cannot have.

    Raises:
        RecipeError: with the place, and what there is.
    """
    for index, claim in enumerate(claims):
        at: KeyPath = ("claims", index)
        if claim.kind is None and len(log) > 1:
            raise RecipeError(
                f"{document.location(at)}: the log has several kinds; add 'kind', one of {', '.join(log)}"
            )
        if claim.kind is not None and claim.kind not in log:
            where = document.location((*at, "kind"))
            raise RecipeError(f"{where}: the log has no kind '{claim.kind}'; {suggestion(claim.kind, log)}")
        columns = {column.name: column for column in log[claim.kind or next(iter(log))]}
        _check_selection(claim.where, columns, document, (*at, "where"))
        _check_selection(dict(claim.each), columns, document, (*at, "each"))
        for place, control in claim.every_control().items():
            _check_selection(control.where, columns, document, (*at, *place, "where"))


def _check_selection(selection: Selection, columns: dict[str, Column], document: Document, at: KeyPath) -> None:
    for name, wanted in selection.items():
        where = document.location((*at, name))
        if name not in columns:
            raise RecipeError(f"{where}: the log has no column '{name}'; {suggestion(name, columns)}")
        dtype = columns[name].dtype
        if isinstance(wanted, Near):
            if dtype not in ("float32", "float64"):
                raise RecipeError(f"{where}: the column '{name}' holds {dtype} values; 'near' is for floats")
            continue
        if isinstance(wanted, Range):
            if dtype in ("bool", "string"):
                raise RecipeError(f"{where}: the column '{name}' holds {dtype} values, which have no range")
            if wanted.min is None and wanted.max is None:
                raise RecipeError(f"{where}: the range is empty; give 'min', 'max' or both")
            if wanted.min is not None and wanted.max is not None and wanted.min > wanted.max:
                raise RecipeError(f"{where}: the range is empty, for its min is above its max")
            continue
        if wanted == ():
            raise RecipeError(f"{where}: the list is empty, so no row can have one of its values")
        for value in wanted if isinstance(wanted, tuple) else (wanted,):
            if not _fits(value, dtype):
                raise RecipeError(f"{where}: the column '{name}' holds {dtype} values, got {json.dumps(value)}")


def _fits(value: Any, dtype: str) -> bool:
    return isinstance(value, _FITS[dtype]) and (dtype == "bool" or not isinstance(value, bool))
