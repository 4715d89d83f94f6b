"""The laws are NumPy alone, so that analyses may draw them."""

import pkgutil
import subprocess
import sys

import pytest

from resodectl.numerics import laws

MODULES = sorted(module.name for module in pkgutil.walk_packages(laws.__path__, f"{laws.__name__}."))


def test_there_are_laws():
    assert "resodectl.numerics.laws.thresholds" in MODULES


@pytest.mark.parametrize("module", MODULES)
def test_a_law_does_not_import_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
