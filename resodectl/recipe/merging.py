"""Laying profiles and overrides over a recipe's params, while remembering where every value was written."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from resodectl.recipe.reading import DEEPEST, Document, KeyPath, RecipeError, check_text, read_text


@dataclass(frozen=True)
class Written:
    """Where a value was written: a path inside a document."""

    document: Document
    path: KeyPath

    def __str__(self) -> str:
        return self.document.location(self.path)


@dataclass(frozen=True)
class Layer:
    """Values to lay over others, and where their root was written."""

    values: dict[str, Any]
    written: Written

    @property
    def is_option(self) -> bool:
        """Whether it was written on the command line."""
        return isinstance(self.written.document, Override)

    def touches(self, path: KeyPath) -> bool:
        """Whether it says something of what stands at `path`."""
        values: Any = self.values
        for key in map(str, path):
            if not isinstance(values, dict) or key not in values:
                return False
            values = values[key]
        return True

    def location(self, path: KeyPath) -> str:
        """Where it says what it says of `path`."""
        return str(Written(self.written.document, (*self.written.path, *path)))


class Layers:
    """Params with layers laid over them: mappings merge, all else is replaced.

    A mapping whose `kind` changes is replaced, for the other keys belong to the old kind. An option may also name one
    element of a list, by its number.
    """

    def __init__(self, base: Layer) -> None:
        self.values: dict[str, Any] = {}
        self._written: dict[KeyPath, Written] = {}
        self._laid: list[Layer] = []
        self.lay(base)

    def lay(self, layer: Layer) -> None:
        self._laid.append(layer)
        self.values = self._merge(self.values, layer.values, (), layer.written)

    def location(self, path: KeyPath) -> str:
        """Where the value at `path` (or what encloses it) was written, `file:line:column` or the override's text."""
        for length in range(len(path), -1, -1):
            origin = self._written.get(path[:length])
            if origin is not None:
                return str(Written(origin.document, (*origin.path, *path[length:])))
        raise KeyError(path)

    def to_blame(self, path: KeyPath, accepted: Callable[[dict[str, Any]], bool]) -> str:
        """Where what is wrong at `path` was written. A mapping that is wrong as a whole may be of several layers.

        If the recipe alone would be accepted, an option is to blame for it: of as few of the last ones as are refused
        together, the last one without which the others are accepted.
        """
        value: Any = self.values
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        inside = any(known[: len(path)] == path and len(known) > len(path) for known in self._written)
        if not isinstance(value, dict) and not inside:  # an option may have set an element of a list
            return self.location(path)
        touching = [self._laid[0], *(layer for layer in self._laid[1:] if layer.touches(path))]
        recipe, options = ([layer for layer in touching if layer.is_option is option] for option in (False, True))

        def refused(kept: list[Layer]) -> bool:
            return not accepted(self._with_options(kept))

        few = next((options[start:] for start in range(len(options), -1, -1) if refused(options[start:])), options[-1:])
        if not few:
            return recipe[-1].location(path)
        guilty = next((one for one in reversed(few) if not refused([o for o in few if o is not one])), few[-1])
        over = f" (with what {recipe[-1].location(path)} changes)" if touching[-1] is recipe[-1] else ""
        return guilty.location(path) + over

    def _with_options(self, kept: list[Layer]) -> dict[str, Any]:
        """The values that there would be with some of the options alone."""
        layers = Layers(self._laid[0])
        for layer in self._laid[1:]:
            if not layer.is_option or any(layer is one for one in kept):
                layers.lay(layer)
        return layers.values

    def _merge(self, old: Any, new: Any, path: KeyPath, written: Written) -> Any:
        mappings = isinstance(old, dict) and isinstance(new, dict)
        if mappings and new.get("kind", old.get("kind")) == old.get("kind"):
            merged = dict(old)
            if path not in self._written:
                self._written[path] = written
            for key, value in new.items():
                inner = Written(written.document, (*written.path, key))
                merged[key] = self._merge(old.get(key), value, (*path, key), inner)
            return merged
        if isinstance(old, list) and isinstance(new, dict) and isinstance(written.document, Override):
            return self._with_elements(old, new, path, written)
        self._written = {known: written for known, written in self._written.items() if known[: len(path)] != path}
        self._written[path] = written
        return new

    def _with_elements(self, old: list[Any], new: dict[str, Any], path: KeyPath, written: Written) -> list[Any]:
        merged = list(old)
        for key, value in new.items():
            if key not in map(str, range(len(old))):
                name = ".".join(map(str, path))
                elements = dict.fromkeys(f"{name}.{number}" for number in (0, len(old) - 1) if old)
                which = f"its elements: {' to '.join(elements)}" if old else "it is empty"
                raise RecipeError(f"{written}: there is no {name}.{key}; {name} is a list, {which}")
            number = int(key)
            inner = Written(written.document, (*written.path, key))
            merged[number] = self._merge(old[number], value, (*path, number), inner)
        return merged


def override(text: str) -> Layer:
    """One `--set key=value` as a layer: the key is a dotted path, the value is YAML.

    Raises:
        RecipeError: there is no `=`, no key, or the value is not YAML.
    """
    source = f"--set {text}" if len(text) <= 200 else f"--set {text[:200]}..."
    check_text(text, source)
    key, equals, value = text.partition("=")
    keys = key.strip().split(".")
    if not equals or not all(keys):
        raise RecipeError(f"{source}: is not of the form key=value, such as --set depths=[8,16]")
    if len(keys) > DEEPEST:
        raise RecipeError(f"{source}: the key is nested more than {DEEPEST} levels deep")
    missing = "the value is missing; write --set key=value"
    values: Any = read_text(value, source, empty=missing).data if value.strip() else ""
    for part in reversed(keys):
        values = {part: values}
    return option(source, values)


def in_order(options: Iterable[Layer]) -> list[Layer]:
    """Options in an order of their own, so that the one in which they were given plays no part.

    What replaces more comes first: the shorter path, and a `kind` before what stands beside it.

    Raises:
        RecipeError: two of them set the same to different values.
    """
    known = list(options)
    for number, one in enumerate(known):
        for other in known[:number]:
            _check_agreement(dict(_leaves(other.values)), dict(_leaves(one.values)), other, one)
    return sorted(known, key=lambda layer: min((len(path), path[-1] != "kind") for path, _ in _leaves(layer.values)))


def _check_agreement(ours: dict[KeyPath, Any], theirs: dict[KeyPath, Any], one: Layer, other: Layer) -> None:
    for path, value in ours.items():
        for their_path, their_value in theirs.items():
            shared = min(len(path), len(their_path))
            if path[:shared] == their_path[:shared] and (path != their_path or value != their_value):
                key = ".".join(map(str, path[:shared]))
                raise RecipeError(
                    f"{one.location(())} and {other.location(())} contradict each other; set '{key}' once"
                )


def _leaves(values: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """What an option sets, each by its path; a mapping sets what it holds."""
    if isinstance(values, dict) and values:
        for key, value in values.items():
            yield from _leaves(value, (*path, key))
    else:
        yield path, values


def as_text(value: Any) -> str:
    """A value as `override` reads it.

    >>> as_text("digits"), as_text("on"), as_text("8"), as_text([1, 0.5])
    ('digits', 'on', '"8"', '[1, 0.5]')
    """
    plain = isinstance(value, str) and value.isidentifier() and read_text(value, "a word").data == value
    return value if plain else json.dumps(value)


def option(source: str, values: dict[str, Any]) -> Layer:
    """The values that a command-line option sets, as a layer whose every place is the option's text."""
    return Layer(values, Written(Override(source, values, {}), ()))


class Override(Document):
    """A document of one command-line option: it has a name, but no lines."""

    def location(self, path: KeyPath) -> str:
        return self.source
