"""What a source file imports, and its code: found by reading it, without importing it.

To parse and to print every module of the package takes a second. What was found is therefore kept in the store with the
hashes of the sources, in one file that begins with its own hash; it is found anew where anything about that is odd.
"""

import ast
import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from resodectl.files import write_atomically

KEPT = "sources.json"
# Calls of which one argument is prose: its place, and its name.
_PROSE = {"setting": (0, "description"), "Column": (3, "meaning")}
_STATEMENTS = ("body", "orelse", "finalbody", "handlers", "cases")  # what a statement may hold
_FOR_TYPE_CHECKERS = ("TYPE_CHECKING", "typing.TYPE_CHECKING")
_found: dict[str, "Source"] = {}  # by the file
_new: set[str] = set()  # the files of which no store is known to have what was found


@dataclass(frozen=True)
class Source:
    """A source file.

    Attributes: `key`, the hash of its bytes and of what reads them; `imports`, wherever they stand, except for type
    checkers only: each module, with dots before it if it is relative, and the names that are taken from it; `code`
    without docstrings, prose, comments and formatting.
    """

    key: str
    imports: list[tuple[str, list[str]]]
    code: str


@cache
def source(file: Path) -> Source:
    """What stands in a source file.

    Raises:
        SyntaxError: it is no Python.
    """
    data, name = file.read_bytes(), str(file)
    key = hashlib.sha256(_reader() + data).hexdigest()
    if name not in _found or _found[name].key != key:
        _found[name] = _read(key, data.decode())
        _new.add(name)
    return _found[name]


def recall(store: Path) -> None:
    """Take over what a store has kept of sources."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        digest, _, content = (store / KEPT).read_bytes().partition(b"\n")
        if digest.decode() == hashlib.sha256(content).hexdigest():
            known = {name: Source(**found) for name, found in json.loads(content).items()}
            _found.update(known)
            _new.difference_update(known)


def keep(store: Path) -> None:
    """Keep in a store what was found in sources, if something is new and the store takes files."""
    if not _new or not store.is_dir():
        return
    content = json.dumps({name: asdict(found) for name, found in _found.items()}).encode()
    with suppress(OSError):
        write_atomically(store / KEPT, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
        _new.clear()


@cache
def _reader() -> bytes:
    """What determines, besides a file, what is found in it: this module, and the version of Python."""
    return f"{sys.version}\n".encode() + Path(__file__).read_bytes()


def _read(key: str, text: str) -> Source:
    tree = ast.parse(text)
    imports: list[tuple[str, list[str]]] = []
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            imports.extend((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imports.append(("." * node.level + (node.module or ""), [alias.name for alias in node.names]))
    return Source(key, imports, _code(tree))


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """A module and all statements in it, except those for type checkers only."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for_checkers = isinstance(node, ast.If) and ast.unparse(node.test) in _FOR_TYPE_CHECKERS
        for inside in _STATEMENTS[1:] if for_checkers else _STATEMENTS:
            waiting.extend(getattr(node, inside, ()))


def _code(tree: ast.Module) -> str:
    """The source of a tree without docstrings and prose; the tree loses them, too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
                node.body = body[1:] or [ast.Pass()]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _PROSE:
            place, keyword = _PROSE[node.func.id]
            node.args = [ast.Constant("") if index == place else value for index, value in enumerate(node.args)]
            node.keywords = [given for given in node.keywords if given.arg != keyword]
    return ast.unparse(tree)
