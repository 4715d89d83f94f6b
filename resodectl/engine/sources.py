"""What a source file imports, and its code: found by reading it, without importing it.

To parse every module of the package takes a second. What was found is therefore kept in the store with the hashes of
the sources, in one file that begins with its own hash; it is found anew where anything about that is odd.
"""

import hashlib
import json
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from resodectl.engine import syntax
from resodectl.files import write_atomically

KEPT = "sources.json"
_found: dict[str, "Source"] = {}  # by the file
_new: set[str] = set()  # the files of which no store is known to have what was found


@dataclass
class Source(syntax.Read):
    """A source file: what stands in it, and `key`, the hash of its bytes and of what reads them."""

    key: str = ""


@cache
def source(file: Path) -> Source:
    """What stands in a source file.

    Raises:
        SyntaxError: it is no Python.
    """
    data, name = file.read_bytes(), str(file)
    key = hashlib.sha256(_reader() + data).hexdigest()
    if name not in _found or _found[name].key != key:
        _found[name] = Source(**asdict(syntax.read(data, name)), key=key)
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
    """What determines, besides a file, what is found in it: how it is read, and the version of Python."""
    return f"{sys.version}\n".encode() + Path(syntax.__file__).read_bytes()
