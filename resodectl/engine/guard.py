"""That a cell is computed by the code, and from the files, that its address stands for."""

import os
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

_checked: set[str] = set()  # the modules that this process has imported as they were hashed


@dataclass(frozen=True)
class Code:
    """The code of an experiment: the digest of each of its parts, and what was seen of their files."""

    parts: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Seen, ...] = ()


@contextmanager
def guarded(experiment: str, code: Code, inputs: tuple[Input, ...], data: tuple[Seen, ...]) -> Iterator[None]:
    """The block imports the modules of an experiment and computes a cell with them.

    A module that is edited after it was imported plays no part any more; a table may be read at any time.

    Args:
        data: what was seen of the files of data sets.

    Raises:
        UserError: a file has changed since it was hashed, or a module was imported that the hash does not cover.
    """
    known = set(sys.modules)
    tables = [*(file for file in code.files if file.path.suffix != ".py"), *(file.seen for file in inputs), *data]
    require_unchanged(tables)
    yield
    require_unchanged(tables)
    _require_hashed(dict(zip(code.parts, code.files, strict=True)), experiment)
    _require_read(set(sys.modules) - known, code.parts, experiment)


def _require_hashed(files: Mapping[str, Seen], experiment: str) -> None:
    """Make sure that the modules which were imported since the last cell came from the files that were hashed."""
    fresh = [name for name in files if name in sys.modules and name not in _checked]
    for name in fresh:
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file) != files[name].path and not os.path.samefile(file, files[name].path):
            raise UserError(
                f"{experiment} imports {name} from {file}, but from the command's path it is {files[name].path}, so "
                "that a change would not be noticed; import it relatively, or give it another name"
            )
        require_unchanged([files[name]])
    _checked.update(fresh)


def _require_read(imported: set[str], parts: Mapping[str, str], experiment: str) -> None:
    """Make sure that what a cell has imported besides is installed, or belongs to Python or to resodectl."""
    for name in sorted(imported):
        file = getattr(sys.modules.get(name), "__file__", None)
        root = name.partition(".")[0]
        own = root == "resodectl" and not name.startswith(FAMILIES)
        if not file or own or name in parts or root in sys.stdlib_module_names or is_installed(Path(file)):
            continue
        if not version(root):
            raise UserError(
                f"{experiment} imports {name} ({file}), and reading its modules does not lead there, so that a change "
                "would not be noticed; put it into the family's folder and import it relatively"
            )
