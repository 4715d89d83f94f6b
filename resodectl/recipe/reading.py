"""Reading YAML 1.2 safely: core types only, no duplicate keys, no bombs, and the line of everything.

A value's position is kept under its path (`("params", "depths", 2)`), for error messages.
"""

import math
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml

from resodectl.errors import UserError

LARGEST_FILE = 1 << 20
MOST_VALUES = 100_000
DEEPEST = 40

Key = str | int
KeyPath = tuple[Key, ...]


class RecipeError(UserError):
    """A recipe, a profile or an override that cannot be used."""


@dataclass(frozen=True)
class Document:
    """The values of one YAML text, and where each of them stands."""

    source: str
    data: Any
    positions: dict[KeyPath, tuple[int, int]]

    def location(self, path: KeyPath) -> str:
        """`source:line:column` of the value at `path`, or of its nearest enclosing value."""
        while path and path not in self.positions:
            path = path[:-1]
        line, column = self.positions.get(path, (1, 1))
        return f"{self.source}:{line}:{column}"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """libyaml's parser with the YAML 1.2 core schema in place of YAML 1.1's."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


_CORE = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
)
_PATTERNS = {name: re.compile(pattern) for name, pattern, _ in _CORE}
for _name, _pattern, _first in _CORE:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"^(?:{_pattern})$"), _first)


def read_file(path: Path) -> Document:
    """Read one YAML file.

    Raises:
        RecipeError: the file is missing, no regular file, too large, not text, or not YAML as understood here.
    """
    check_text(str(path), str(path))
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise RecipeError(f"{path}: is a folder, not a recipe; name a .yaml file in it")
        if not stat.S_ISREG(found.st_mode):
            raise RecipeError(f"{path}: is not a regular file; write the recipe to a .yaml file")
        if found.st_size > LARGEST_FILE:
            raise RecipeError(f"{path}: is larger than 1 MiB; a recipe is a short text")
        raw = path.read_bytes()
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: is not a text file (byte {error.start} is not UTF-8)") from error
    return read_text(text, str(path))


def headline(path: Path) -> dict[str, str]:
    """The paper, figure and title of a recipe file that is not validated any further; "" for what it lacks.

    A paper is named by its key, or, if the recipe describes one of its own, by its authors and year.

    Raises:
        RecipeError: the file cannot be read, or is no mapping.
    """
    document = read_file(path)
    check_mapping(document)
    known = {
        "paper": _named(document.data.get("paper")),
        **{key: document.data.get(key) for key in ("figure", "title")},
    }
    return {key: _line(value) for key, value in known.items()}


def _line(value: Any) -> str:
    """A value in one line of letters that can be shown; "" for none."""
    text = "" if value is None else str(value)
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _named(paper: Any) -> str:
    """A paper in few words: its key, or the first of its authors and the year, or its title."""
    if not isinstance(paper, dict):
        return "" if paper is None else str(paper)
    authors = paper.get("authors")
    if not isinstance(authors, list) or not authors:
        return str(paper.get("title", ""))
    first = f"{authors[0]} et al." if len(authors) > 1 else str(authors[0])
    return f"{first} {paper.get('year', '')}".strip()


def check_mapping(document: Document) -> None:
    """Refuse a recipe that is no mapping."""
    if not isinstance(document.data, dict):
        raise RecipeError(f"{document.location(())}: a recipe is a mapping with the keys family, paper, figure, ...")


def check_text(text: str, source: str) -> None:
    """Refuse a file name or an option that was not UTF-8 (Python then keeps its bytes as lone surrogates)."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        shown = source.encode(errors="backslashreplace").decode()
        raise RecipeError(f"{shown}: is not UTF-8; use plain characters")


def _check_depth(text: str, source: str) -> None:
    """Refuse deep nesting before libyaml composes it, which recurses in C and would end the process."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            mark: Any = event.start_mark
            raise RecipeError(f"{source}:{mark.line + 1}:{mark.column + 1}: is nested more than {DEEPEST} levels deep")


def read_text(
    text: str, source: str, empty: str = "is empty; `resodectl init` copies recipes to start from"
) -> Document:
    """Read one YAML document from a string; `source` names it in messages, `empty` says what a lack of values means.

    Raises:
        RecipeError: with the line and column of what is wrong.
    """
    try:
        _check_depth(text, source)
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise RecipeError(f"{source}{where}: is not valid YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise RecipeError(f"{source}: is not valid YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise RecipeError(f"{source}: is nested too deeply to be a recipe") from error
    if root is None:
        raise RecipeError(f"{source}: {empty}")
    return _Walk(source).document(root)


class _Walk:
    """Turns a node graph into values while counting them, so that aliases cannot blow up."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.positions: dict[KeyPath, tuple[int, int]] = {}
        self.count = 0

    def document(self, root: yaml.Node) -> Document:
        data = self.value(root, ())
        return Document(self.source, data, self.positions)

    def refuse(self, node: yaml.Node, why: str) -> RecipeError:
        return RecipeError(f"{self.source}:{node.start_mark.line + 1}:{node.start_mark.column + 1}: {why}")

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        self.count += 1
        if self.count > MOST_VALUES:
            raise self.refuse(node, f"holds more than {MOST_VALUES} values once its aliases are expanded")
        if len(path) > DEEPEST:
            raise self.refuse(node, f"is nested more than {DEEPEST} levels deep")
        self.positions.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            self.expect_tag(node, "seq")
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self.scalar(node)

    def mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        self.expect_tag(node, "map")
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != "tag:yaml.org,2002:str":
                raise self.refuse(key_node, "a key must be a plain string")
            key = key_node.value
            if key in found:
                raise self.refuse(key_node, f"the key '{key}' stands twice")
            self.positions[(*path, key)] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            found[key] = self.value(value_node, (*path, key))
        return found

    def expect_tag(self, node: yaml.Node, name: str) -> None:
        if node.tag != f"tag:yaml.org,2002:{name}":
            raise self.refuse(node, f"the tag {node.tag} is not allowed; write plain values")

    def scalar(self, node: yaml.Node) -> Any:
        text, name = node.value, node.tag.removeprefix("tag:yaml.org,2002:")
        if name in _PATTERNS and not _PATTERNS[name].fullmatch(text):
            raise self.refuse(node, f"this is no {name}; write plain values, without tags")
        match name:
            case "str":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return self.integer(node, text)
            case "float":
                number = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
                if not math.isfinite(number):
                    raise self.refuse(node, f"{text} is not a finite number")
                return number
            case _:
                raise self.refuse(node, f"the tag {node.tag} is not allowed; write plain values")

    def integer(self, node: yaml.Node, text: str) -> int:
        digits = text.lstrip("+-")
        if digits.startswith(("0x", "0o")):
            if len(digits) > 24 or int(digits, 0) >= 1 << 63:
                raise self.refuse(node, "this integer does not fit in 64 bits")
            return int(digits, 0)
        if len(digits) > 18:
            raise self.refuse(node, "this integer has more than 18 digits")
        if len(digits) > 1 and digits.startswith("0"):
            raise self.refuse(node, f"{text} has a leading zero; write {int(text)}, or quote it if it is a name")
        return int(text)
