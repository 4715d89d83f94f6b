"""Turning pydantic's errors into one sentence with a place, what was expected and the nearest valid key."""

import typing
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ValidationError

from resodectl.errors import suggestion
from resodectl.recipe.reading import KeyPath, RecipeError


def explain(
    error: ValidationError, model: type[BaseModel], data: Any, place: Callable[[KeyPath], str], prefix: KeyPath = ()
) -> RecipeError:
    """The first thing that is wrong with `data`, in words.

    Args:
        model: what `data` should have been.
        place: where a path of `data` was written.
        prefix: the path of `data` inside the recipe, for the message.
    """
    # A misspelt key is both unknown and missing under its right name: the unknown one is what the reader wrote.
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    path, value = _follow(data, first["loc"])
    name = ".".join(map(str, (*prefix, *path))) or "the recipe"
    kind, context = first["type"], first.get("ctx", {})
    known = _keys(model, path[:-1])
    if kind == "extra_forbidden":
        says = f"unknown key '{name}'; {suggestion(str(path[-1]), known)}"
    elif kind == "missing":
        says = f"the key '{name}' is missing"
    elif kind == "value_error":
        says = f"{name}: {context.get('error', first['msg'])}"
    elif kind in ("union_tag_invalid", "union_tag_not_found"):
        expected = context.get("expected_tags", "a mapping with a 'kind'")
        says = f"{name}: 'kind' must be one of {expected}, got {_short(value)}"
    else:
        says = f"{name}: {first['msg'][0].lower()}{first['msg'][1:]}, got {_short(value)}"
    return RecipeError(f"{place(path)}: {says}")


def _follow(data: Any, loc: tuple[int | str, ...]) -> tuple[KeyPath, Any]:
    """The part of an error's location that exists in the data (pydantic adds the tags of unions), and its value."""
    path: list[int | str] = []
    for position, key in enumerate(loc):
        known = data if isinstance(data, dict) else dict(enumerate(data)) if isinstance(data, list) else {}
        if key in known:
            data = known[key]
            path.append(key)
        elif position == len(loc) - 1 and isinstance(data, dict):
            return (*path, key), None
    return tuple(path), data


def _keys(model: Any, path: KeyPath) -> set[str]:
    """The keys that may stand in the mapping at `path` of a model."""
    models = _models(model)
    for key in path:
        if isinstance(key, str):
            annotations = [
                field.annotation
                for found in models
                for name, field in found.model_fields.items()
                if key in (name, field.alias)
            ]
            models = {inner for annotation in annotations for inner in _models(annotation)}
    return {field.alias or name for found in models for name, field in found.model_fields.items()}


def _models(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {model for part in typing.get_args(annotation) for model in _models(part)}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
