"""What was found in sources is kept in the store: it is found anew where a source, or what was kept, is another."""

import json
import os
from pathlib import Path

import pytest

from resodectl.engine import sources, syntax


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "gait.py"
    path.write_text('"""How."""\nfrom . import shoes\nfrom .feet import left, right\nimport numpy as np\nSTEP = 1\n')
    return path


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were parsed."""
    texts: list[str] = []
    true = syntax.read

    def counted(source: bytes, file: str) -> syntax.Read:
        texts.append(source.decode())
        return true(source, file)

    monkeypatch.setattr(syntax, "read", counted)
    monkeypatch.setattr(sources, "_found", {})
    monkeypatch.setattr(sources, "_new", set())
    return texts


def in_another_process(store: Path) -> None:
    sources._found.clear()
    sources._new.clear()
    sources.source.cache_clear()
    sources.recall(store)


def test_a_source_is_its_imports_and_its_code(file: Path, parsed: list[str]) -> None:
    found = sources.source(file)
    assert sorted(found.imports) == [(".", ["shoes"]), (".feet", ["left", "right"]), ("numpy", [])]
    assert (
        found.code
        == syntax.read(b"from . import shoes; from .feet import left, right\nimport numpy as np; STEP=1", "").code
    )


def test_it_is_parsed_once_for_a_store_and_again_when_it_changes(file: Path, tmp_path: Path, parsed: list[str]) -> None:
    first = sources.source(file)
    sources.keep(tmp_path)
    in_another_process(tmp_path)
    again = sources.source(file)
    assert (again.code, list(map(list, again.imports))) == (first.code, list(map(list, first.imports)))
    assert len(parsed) == 1
    file.write_text("STEP = 2\n")
    in_another_process(tmp_path)
    assert sources.source(file).code != first.code
    assert len(parsed) == 2


@pytest.mark.parametrize("damage", ["torn", "", "0" * 64 + "\n{}", "swapped"])
def test_what_is_damaged_is_found_anew_and_mended(file: Path, tmp_path: Path, parsed: list[str], damage: str) -> None:
    code = sources.source(file).code
    sources.keep(tmp_path)
    kept = tmp_path / sources.KEPT
    whole = kept.read_bytes()
    kept.write_bytes(whole.replace(code.encode(), b"0" * 64) if damage == "swapped" else damage.encode())
    in_another_process(tmp_path)
    assert sources.source(file).code == code
    assert len(parsed) == 2
    sources.keep(tmp_path)
    assert json.loads(kept.read_bytes().partition(b"\n")[2]) == json.loads(whole.partition(b"\n")[2])


def test_another_version_of_what_reads_finds_anew(
    file: Path, tmp_path: Path, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sources.source(file)
    sources.keep(tmp_path)
    monkeypatch.setattr(sources, "_reader", lambda: b"another Python")
    in_another_process(tmp_path)
    sources.source(file)
    assert len(parsed) == 2


def test_nothing_is_written_without_need_or_without_a_store(file: Path, tmp_path: Path, parsed: list[str]) -> None:
    sources.source(file)
    sources.keep(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()
    sources.keep(tmp_path)
    os.utime(tmp_path / sources.KEPT, ns=(1, 1))
    in_another_process(tmp_path)
    sources.source(file)
    sources.keep(tmp_path)
    assert (tmp_path / sources.KEPT).stat().st_mtime_ns == 1
