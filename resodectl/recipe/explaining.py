"""Turning pydantic's errors into one sentence with a place, what was expected and the nearest valid key."""

import json
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from resodectl.errors import suggestion
from resodectl.recipe.reading import KeyPath, RecipeError

# pydantic's words for types, and YAML's.
_TYPES = {
    "bool_type": "true or false",
    "int_type": "an integer",
    "float_type": "a number",
    "string_type": "a string",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dataclass_type": "a mapping",
    "none_required": "null",
}
_TOLD_FIRST = {"extra_forbidden": 0, "value_error": 1}
_WORDS = (
    ("a valid boolean", "true or false"),
    ("a valid dictionary", "a mapping"),
    ("an object", "a mapping"),
    ("a valid array", "a list"),
    ("a valid tuple", "a list"),
    ("a valid list", "a list"),
    ("Tuple should", "the list should"),
    ("List should", "the list should"),
    ("Dictionary should", "the mapping should"),
    ("None", "null"),
    (" after validation", ""),
)


def explain(
    error: ValidationError, model: type[BaseModel], data: Any, location: Callable[[KeyPath], str], prefix: KeyPath = ()
) -> RecipeError:
    """The first thing that is wrong with `data`, in words.

    Args:
        model: what `data` should have been.
        location: where a path of `data` was written.
        prefix: the path of `data` inside the recipe, for the message.
    """
    errors = _telling([dict(found) for found in error.errors()], model, data)
    # A misspelt key is both unknown and missing under its right name: the unknown one is what the reader wrote. The
    # member of a union that refuses what a value says, not its type, is the one that was meant.
    first = min(errors, key=lambda found: _TOLD_FIRST.get(found["type"], len(_TOLD_FIRST)))
    path, value = _follow(data, first)
    name = ".".join(map(str, (*prefix, *path))) or "the recipe"
    kind, context = first["type"], first.get("ctx", {})
    if kind == "extra_forbidden":
        says = f"unknown key '{name}'; {suggestion(str(path[-1]), _keys(model, path[:-1], data) - {path[-1]})}"
    elif kind == "missing":
        says = f"the key '{name}' is missing"
    elif kind == "value_error":
        says = f"{name}: {context.get('error', first['msg'])}"
    elif kind in ("union_tag_invalid", "union_tag_not_found"):
        expected = context.get("expected_tags", "a mapping with a 'kind'")
        says = f"{name}: 'kind' must be one of {expected}, got {_short(value)}"
    else:
        says = f"{name}: {_expected(first, errors, path, data)}, got {_short(value)}"
    return RecipeError(f"{location(path)}: {says}")


def _telling(errors: list[dict[str, Any]], model: type[BaseModel], data: Any) -> list[dict[str, Any]]:
    """The errors without those of the members of a union that the data was not meant to be.

    A member refuses keys that are another member's; and where one member takes the value's parts, but not all of
    them, that the value as a whole is of no other member's type tells nothing.
    """
    foreign = {
        found["loc"][:-1]
        for found in errors
        if found["type"] == "extra_forbidden" and found["loc"][-1] in _keys(model, _follow(data, found)[0][:-1], data)
    }
    own = [found for found in errors if not any(found["loc"][: len(loc)] == loc for loc in foreign)] or errors
    paths = {_follow(data, found)[0] for found in own}
    inner = {path[:length] for path in paths for length in range(len(path))}
    return [found for found in own if _follow(data, found)[0] not in inner] or own


def _expected(first: dict[str, Any], errors: Sequence[dict[str, Any]], path: KeyPath, data: Any) -> str:
    """What one error, or all the members of a union, expected at a path, in YAML's words."""
    here = [found["type"] for found in errors if _follow(data, found)[0] == path]
    words = list(dict.fromkeys(_TYPES[kind] for kind in here if kind in _TYPES))
    if first["type"] in _TYPES and len(words) > 1:
        return f"input should be {', '.join(words[:-1])} or {words[-1]}"
    says = first["msg"]
    for theirs, ours in _WORDS:
        says = says.replace(theirs, ours)
    return says[0].lower() + says[1:]


def _follow(data: Any, found: dict[str, Any]) -> tuple[KeyPath, Any]:
    """The part of an error's location that exists in the data (pydantic adds the tags of unions), and its value.

    A missing key belongs to the path, too; its value is None.
    """
    path: list[int | str] = []
    for key in found["loc"]:
        known = data if isinstance(data, dict) else dict(enumerate(data)) if isinstance(data, list) else {}
        if key in known:
            data = known[key]
            path.append(key)
    if found["type"] == "missing":
        return (*path, found["loc"][-1]), None
    return tuple(path), data


def _keys(model: Any, path: KeyPath, data: Any) -> set[str]:
    """The keys that may stand in the mapping at `path` of a model; its `kind`, if it has one, says which."""
    members = [model]
    for key in path:
        members = [inner for member in _chosen(members, data) for inner in _inside(member, key)]
        data = data[key]
    models = [member for member in _chosen(members, data) if _is_model(member)]
    return {field.alias or name for found in models for name, field in found.model_fields.items()}


def _chosen(members: list[Any], data: Any) -> list[Any]:
    """The members of a union whose `kind` is the data's; all of them if none is."""
    kind = data.get("kind") if isinstance(data, dict) else None
    named = [
        member
        for member in members
        if _is_model(member)
        and "kind" in member.model_fields
        and kind in typing.get_args(member.model_fields["kind"].annotation)
    ]
    return named or members


def _inside(member: Any, key: int | str) -> list[Any]:
    """What the value under a key of a type may be."""
    if _is_model(member):
        fields = [field for name, field in member.model_fields.items() if key in (name, field.alias)]
        return [inner for field in fields for inner in _members(field.annotation)]
    origin, parts = typing.get_origin(member), typing.get_args(member)
    if origin is dict:
        return _members(parts[1])
    if origin in (list, tuple):
        return [inner for part in parts if part is not Ellipsis for inner in _members(part)]
    return []


def _members(annotation: Any) -> list[Any]:
    """The members of a union, or the one type that an annotation is."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _members(parts[0])
    if origin in (typing.Union, types.UnionType):
        return [member for part in parts for member in _members(part)]
    return [annotation]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _short(value: Any) -> str:
    """A value as YAML writes it, cut to 60 characters."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
