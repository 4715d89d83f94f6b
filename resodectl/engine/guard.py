"""That a cell is computed by the code, and from the files, that its address stands for."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from resodectl.engine.distributions import is_installed, version
from resodectl.engine.fingerprint import FAMILIES
from resodectl.engine.inputs import Input
from resodectl.engine.seen import Seen, require_unchanged
from resodectl.errors import UserError

_imported: set[str] = set()  # the experiments whose modules this process has imported as they were hashed


@dataclass(frozen=True)
class Code:
    """The code of an experiment: the digest of each of its parts, and what was seen of their files."""

    parts: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Seen, ...] = ()


@contextmanager
def guarded(experiment: str, code: Code, inputs: tuple[Input, ...]) -> Iterator[None]:
    """The block imports the modules of an experiment and computes a cell with them.

    A module that is edited after it was imported plays no part any more; a table may be read at any time.

    Raises:
        UserError: a file has changed since it was hashed, or a module was imported that the hash does not cover.
    """
    known = set(sys.modules)
    tables = [*(file for file in code.files if file.path.suffix != ".py"), *(declared.seen for declared in inputs)]
    require_unchanged(tables)
    yield
    require_unchanged(tables)
    if experiment not in _imported:
        require_unchanged(code.files)
        _require_read(set(sys.modules) - known, code.parts, experiment)
        _imported.add(experiment)


def _require_read(imported: set[str], parts: Mapping[str, str], experiment: str) -> None:
    for name in sorted(imported):
        file = getattr(sys.modules.get(name), "__file__", None)
        root = name.partition(".")[0]
        own = root == "resodectl" and not name.startswith(FAMILIES)
        if not file or own or name in parts or root in sys.stdlib_module_names or is_installed(Path(file)):
            continue
        if not version(root):
            raise UserError(
                f"{experiment} imports {name} ({file}), and no import of its modules says so, so that a change of it "
                "would not be noticed; write a plain import of it in the simulation"
            )
