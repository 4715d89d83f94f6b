"""What is read in a source: its imports under every spelling, and a code that no version of Python changes."""

import ast
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from resodectl.engine.syntax import canonical, read

ROOT = Path(__file__).parents[2]
TRICKY = {  # sources whose trees, or whose texts as `ast.unparse` prints them, differ from version to version
    "quotes": "print(f'{x!r:>{w}}' f\"{d['a']}\" 'b')",
    "nested": "f'{x:{a}b{c}}' f'{y}' ''",
    "empty": "f'{x:}' f'' ''",
    "equals": "f'{x = }{y=:.3f}{z=!s}'",
    "lines": "f'''{\nx\n}\n'''",
    "braces": "f'a{{b}}{1}'",
    "unprintable": "'\\ud800 \\x7f \\U0001fae8 é'",
    "match": "match p:\n    case {'a': [x, *_], **rest} if x: pass\n    case A(b=1) | None: y = x\n    case _: ...\n",
    "walrus": "if (n := len(a)) > 1: print(n)",
    "generic": "def f(a, /, b=1, *c: int, d: 'int' = 2, **e) -> None:\n    return\nclass C(B, metaclass=M): x: int = 1",
    "star": "try:\n    a[*b]\nexcept* E as e:\n    raise\nasync def g():\n    return [i async for i in x]",
    "numbers": "0xFFFFFFFFFFFFFFFFFFFF + 1e999 + 1j + True + 0.1",
    "with": "with (open(a) as b, open(c) as d):\n    del b, d\nlambda *, x=1: (yield)",
}
RECORDED = {
    "quotes": "f60b67d25195",
    "nested": "9dd2d9ce3724",
    "empty": "9a315eda8014",
    "equals": "4a98d7db27e0",
    "lines": "0ffc87d5c0e8",
    "braces": "d3640fe03e07",
    "unprintable": "ad2e13b69c4f",
    "match": "25c807ce23bf",
    "walrus": "dc18b9f7ce71",
    "generic": "a7d39a1914c7",
    "star": "be586db26099",
    "numbers": "a060ae939277",
    "with": "336555c45b52",
}


def code(source: str) -> str:
    return read(source.encode(), "source").code


def test_the_code_of_tricky_sources_is_that_of_every_version() -> None:
    written = {
        name: hashlib.sha256(canonical(ast.parse(text)).encode()).hexdigest()[:12] for name, text in TRICKY.items()
    }
    assert written == RECORDED


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_every_experiment_has_the_same_fingerprint_in_another_python(version: str) -> None:
    python = shutil.which(f"python{version}")
    works = python and subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0
    if not works or sys.version.startswith(f"{version}."):
        pytest.skip(f"no other Python {version} here")
    listing = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from resodectl.engine.address import entries\nfrom resodectl.engine.fingerprint import fingerprint\n"
        "from resodectl.experiment.catalogue import experiments\n"
        "print(*(fingerprint(entries(name)) for name in experiments()))"
    )
    here, there = (
        subprocess.run([of, "-I", "-c", listing], capture_output=True, text=True, check=True).stdout.split()
        for of in (sys.executable, python)
    )
    assert len(here) > 10
    assert here == there


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = (1)  # one", "x=1"),
        ('def f():\n    """What."""', "def f(): pass"),
        ("f'{x}' 'a' 'b'", "f'{x}ab'"),
        ("'a' 'b'", '"""ab"""'),
        ("u'a'", "'a'"),
        ("if a: pass\nelse: pass", "if a: pass"),
    ],
)
def test_what_means_the_same_has_the_same_code(one: str, other: str) -> None:
    assert code(one) == code(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("f'{x}'", "f'{x!r}'"),
        ("f'{x}'", "'{x}'"),
        ("f'{x:.1}'", "f'{x:.2}'"),
        ("x = None", "x = 'None'"),
        ("x = 1", "x = True"),
        ("x = 1", "x = 1.0"),
        ("x = 0.0", "x = -0.0"),
        ("f([None])", "f([])"),
        ("{**a}", "{a: a}"),
        ("f(a, b)", "f(a, *b)"),
        ("def f(a, /): return a", "def f(a): return a"),
        ("a = [1]\nb = 2", "a = [1]; b = 3"),
    ],
)
def test_what_means_something_else_has_another_code(one: str, other: str) -> None:
    assert code(one) != code(other)


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("import importlib\nimportlib.import_module('.dyn', __package__)", ".dyn"),
        ("import importlib as il\ndef f():\n    return il.import_module(name='.dyn', package=__package__)", ".dyn"),
        ("from importlib import import_module as load\nload('.dyn', 'toy.walk')", "toy.walk.dyn"),
        ("from importlib import import_module\nx = [import_module('toy.dyn').X]", "toy.dyn"),
        ("__import__('toy.dyn')", "toy.dyn"),
    ],
)
def test_a_module_that_a_call_names_is_an_import(source: str, module: str) -> None:
    found = read(source.encode(), "source")
    assert (module, []) in found.imports
    assert found.hidden == []


@pytest.mark.parametrize(
    ("source", "line", "what"),
    [
        ("import importlib\n\nimportlib.import_module(name)", 3, "importlib.import_module"),
        ("from importlib import import_module\nimport_module(f'.{name}', __package__)", 2, "importlib.import_module"),
        ("from importlib import import_module\nlist(map(import_module, names))", 2, "importlib.import_module"),
        ("from importlib import import_module\nimport_module('.dyn', package)", 2, "importlib.import_module"),
        ("from importlib import import_module\nimport_module('...dyn', 'toy')", 2, "importlib.import_module"),
        ("__import__('dyn', globals(), locals(), [], 1)", 1, "__import__"),
        ("import importlib\nimportlib.import_module(**given)", 2, "importlib.import_module"),
        ("import runpy\nrunpy.run_path('dyn.py')", 2, "runpy.run_path"),
        (
            "from importlib import util\nutil.spec_from_file_location('dyn', p)", 2,
            "importlib.util.spec_from_file_location",
        ),
        ("import importlib.machinery as m\nm.SourceFileLoader('a', p)", 2, "importlib.machinery.SourceFileLoader"),
    ],
)  # fmt: skip
def test_what_no_reading_can_follow_is_hidden(source: str, line: int, what: str) -> None:
    assert read(source.encode(), "source").hidden == [(line, what)]


def test_a_function_of_that_name_elsewhere_hides_nothing() -> None:
    found = read(b"from mine import import_module\nimport_module(name)\nself.run_path(x)\nenviron = 1", "source")
    assert (found.hidden, found.environment) == ([], [])


@pytest.mark.parametrize(
    "source",
    ["import os\nos.environ['A']", "import os as o\no.getenv('A')", "from os import environ\nenviron.get('A')"],
)
def test_reads_of_the_environment_have_their_lines(source: str) -> None:
    assert read(source.encode(), "source").environment == [2]


def test_a_source_in_another_encoding_is_read() -> None:
    assert read("# coding: latin-1\nx = 'é'".encode("latin-1"), "source").code == code("x = 'é'")
