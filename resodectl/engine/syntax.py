"""What can be read in a source file without importing it: its imports, what hides an import, and its code.

The code is a canonical text of the syntax tree: it knows neither comments, formatting, docstrings nor prose, and is
the same in every version of Python (`ast.unparse` and `ast.dump` are not).
"""

import ast
import hashlib
import importlib.util
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

# Calls of which one argument is prose: its place, and its name.
_PROSE = {"setting": (0, "description"), "Column": (3, "meaning")}
_STATEMENTS = ("body", "orelse", "finalbody", "handlers", "cases")  # what a statement may hold
_FOR_TYPE_CHECKERS = ("TYPE_CHECKING", "typing.TYPE_CHECKING")
# What takes the name of a module, and what runs a file; the second hides what it runs from every reading.
_IMPORTERS = ("importlib.import_module", "importlib.__import__", "builtins.__import__", "__import__")
_RUNNERS = (
    "runpy.run_path",
    "runpy.run_module",
    "imp.load_source",
    "importlib.util.spec_from_file_location",
    "importlib.machinery.SourceFileLoader",
    "importlib.machinery.SourcelessFileLoader",
    "importlib.machinery.ExtensionFileLoader",
    "pkgutil.resolve_name",
)
_ENVIRONMENT = ("os.environ", "os.environb", "os.getenv", "os.getenvb")
_OF_INTEREST = (*_IMPORTERS, *_RUNNERS, *_ENVIRONMENT)
_LAST_WORDS = tuple({path.rpartition(".")[2].encode() for path in _OF_INTEREST})


@dataclass
class Read:
    """What stands in a source.

    Attributes: `imports`, wherever they stand, except for type checkers only: each module, with dots before it if it
    is relative, and the names that are taken from it; `hidden`, the lines and names of what imports a module or runs a
    file that no reading can tell; `environment`, the lines that read the environment; `code`, the SHA-256 of the
    canonical text.
    """

    imports: list[tuple[str, list[str]]] = field(default_factory=list)
    hidden: list[tuple[int, str]] = field(default_factory=list)
    environment: list[int] = field(default_factory=list)
    code: str = ""


def read(source: bytes, file: str) -> Read:
    """What stands in a source; `file` names it in errors.

    Raises:
        SyntaxError: it is no Python.
    """
    with warnings.catch_warnings(action="ignore"):  # of the author's text; whoever imports it says them
        tree = ast.parse(source, file)
    found = Read()
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            found.imports.extend((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.imports.append((_module(node), [alias.name for alias in node.names]))
    if any(word in source for word in _LAST_WORDS):
        _read_calls(tree, found)
    found.code = hashlib.sha256(canonical(tree).encode()).hexdigest()
    return found


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """A module and all statements in it, except those for type checkers only."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for_checkers = isinstance(node, ast.If) and ast.unparse(node.test) in _FOR_TYPE_CHECKERS
        for inside in _STATEMENTS[1:] if for_checkers else _STATEMENTS:
            waiting.extend(getattr(node, inside, ()))


def _module(node: ast.ImportFrom) -> str:
    return "." * node.level + (node.module or "")


def _read_calls(tree: ast.Module, found: Read) -> None:
    """Find what imports by a call, and what reads the environment, under whatever name it was imported."""
    known = _names(tree)
    followed: set[ast.AST] = set()
    for node in ast.walk(tree):
        what = _meant(node, known)
        if isinstance(node, ast.Call) and (importer := _meant(node.func, known)) in _IMPORTERS:
            module = _named_module(node, importer)
            if module is not None:
                found.imports.append((module, []))
                followed.add(node.func)
        elif what in _ENVIRONMENT and isinstance(node, ast.expr):
            found.environment.append(node.lineno)
        elif (what in _IMPORTERS or what in _RUNNERS) and isinstance(node, ast.expr) and node not in followed:
            found.hidden.append((node.lineno, what))


def _names(tree: ast.Module) -> dict[str, str]:
    """What each imported name of a module stands for, as far as it can lead to what is of interest."""
    known = {"__import__": "__import__"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.partition(".")[0]
                known[alias.asname or root] = alias.name if alias.asname else root
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return {name: path for name, path in known.items() if any(f"{of}.".startswith(f"{path}.") for of in _OF_INTEREST)}


def _meant(node: ast.AST, known: dict[str, str]) -> str:
    """The dotted name that an expression stands for, such as `os.environ`; "" for any other."""
    if isinstance(node, ast.Name):
        return known.get(node.id, "")
    if isinstance(node, ast.Attribute):
        inner = _meant(node.value, known)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


def _named_module(call: ast.Call, importer: str) -> str | None:
    """The module that a call such as `import_module(".dyn", __package__)` imports; None if it cannot be read."""
    given = dict(zip(("name", "package"), call.args, strict=False)) | {k.arg: k.value for k in call.keywords}
    name, package = given.get("name"), given.get("package")
    if not (isinstance(name, ast.Constant) and isinstance(name.value, str)):
        return None
    if importer.endswith("__import__"):
        return name.value if len(given) == 1 else None
    if not name.value.startswith(".") or (isinstance(package, ast.Name) and package.id == "__package__"):
        return name.value
    if isinstance(package, ast.Constant) and isinstance(package.value, str):
        with suppress(ImportError):
            return importlib.util.resolve_name(name.value, package.value)
    return None


def canonical(tree: ast.Module) -> str:
    """One text for all sources that mean the same: equal in all versions of Python, without docstrings and prose.

    >>> canonical(ast.parse("x = (1)  # one")) == canonical(ast.parse("x=1"))
    True
    >>> canonical(ast.parse("f'{x}' 'a' 'b'")) == canonical(ast.parse("f'{x}ab'"))
    True
    """
    parts: list[str] = []
    _write(tree, parts.append)
    return "".join(parts)


def _write(value: object, write: Callable[[str], None]) -> None:
    """Write a node, a list of nodes, or a plain value."""
    if isinstance(value, ast.Constant):
        write(f"{type(value.value).__name__} {_plain(value.value)}")
    elif isinstance(value, ast.AST):
        write(f"{type(value).__name__}(")
        for name, inside in _fields(value):
            write(f"{name}=")
            _write(inside, write)
            write(",")
        write(")")
    elif isinstance(value, list):
        write("[")
        for inside in value:
            _write(inside, write)
            write(",")
        write("]")
    else:
        write(_plain(value))


def _plain(value: object) -> str:
    """A constant: not `repr`, for what that prints of a text depends on the version of Unicode."""
    return f"{value:x}" if isinstance(value, int) and not isinstance(value, bool) else ascii(value)


def _fields(node: ast.AST) -> Iterator[tuple[str, object]]:
    """The fields of a node that say something: versions differ in which empty ones there are."""
    for name, value in ast.iter_fields(node):
        if name in _STATEMENTS and isinstance(value, list):
            value = _without_docstring(node, value)
        elif name in ("args", "keywords") and isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            value = list(_without_prose(node.func.id, value))
        elif name == "values" and isinstance(node, ast.JoinedStr):
            value = list(_joined(value))
        elif name == "format_spec" and isinstance(value, ast.JoinedStr) and not value.values:
            value = None
        if name != "ctx" and value is not None and value != []:
            yield name, value


def _without_docstring(node: ast.AST, body: list[ast.AST]) -> list[ast.AST]:
    """Statements without the docstring that may begin them, and without `pass`."""
    documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    if documented and body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    return [statement for statement in body if not isinstance(statement, ast.Pass)]


def _without_prose(called: str, given: Iterable[ast.expr | ast.keyword]) -> Iterator[ast.expr | ast.keyword]:
    place, keyword = _PROSE.get(called, (None, None))
    for index, value in enumerate(given):
        if isinstance(value, ast.keyword):
            if keyword is None or value.arg != keyword:
                yield value
        else:
            yield ast.Constant("") if index == place else value


def _joined(values: Iterable[ast.expr]) -> Iterator[ast.expr]:
    """The parts of an f-string: neighbouring texts as one, no empty ones, whatever the version has cut."""
    text = ""
    for value in values:
        if isinstance(value, ast.Constant):
            text += str(value.value)
            continue
        if text:
            yield ast.Constant(text)
        text = ""
        yield value
    if text:
        yield ast.Constant(text)
