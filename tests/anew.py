"""What another process would not know: the modules of families, and all that was read of files."""

import importlib
import sys

from resodectl.engine import address, distributions, fingerprint, guard, inputs, run, sources
from resodectl.experiment import catalogue
from resodectl.runs import kept

CACHING = (address, distributions, fingerprint, inputs, run, sources, kept, catalogue)


def forget(*families: str) -> None:
    """Forget the modules of families, and whatever is remembered of any file."""
    for name in [name for name in sys.modules if name.startswith(tuple(f"resodectl.families.{of}" for of in families))]:
        del sys.modules[name]
    for module in CACHING:
        for function in vars(module).values():
            getattr(function, "cache_clear", lambda: None)()
    guard._checked.clear()
    importlib.invalidate_caches()
