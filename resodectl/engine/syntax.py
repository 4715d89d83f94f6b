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

# Functions of which one argument is prose: the module that they are imported from, its place, and its name.
_PROSE = {
    "setting": ("resodectl.experiment.settings", 0, "description"),
    "Column": ("resodectl.experiment.columns", 3, "meaning"),
}
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
    _write(_without_prose(tree), parts.append)
    return "".join(parts)


def _without_prose(tree: ast.Module) -> ast.Module:
    """The tree, which loses its docstrings, unless it reads `__doc__`, and what describes settings and columns."""
    nodes = list(ast.walk(tree))
    documented = not any(_name(node) == "__doc__" for node in nodes)
    described = {
        alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name in _PROSE and node.module == _PROSE[alias.name][0] and alias.asname in (None, alias.name)
    }
    for node in nodes:
        if documented and isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
        elif isinstance(node, ast.Call) and (called := _name(node.func)) in described:
            _, place, keyword = _PROSE[called]
            if len(node.args) > place and _is_text(node.args[place]):
                node.args[place] = ast.Constant("")
            node.keywords = [given for given in node.keywords if given.arg != keyword or not _is_text(given.value)]
    return tree


def _name(node: ast.AST) -> str:
    """The name that a node is, or that it takes from another."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


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
            value = [statement for statement in value if not isinstance(statement, ast.Pass)]
        elif name == "values" and isinstance(node, ast.JoinedStr):
            value = list(_joined(value))
        elif name == "format_spec" and isinstance(value, ast.JoinedStr) and not value.values:
            value = None
        if name != "ctx" and value is not None and value != []:
            yield name, value


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
