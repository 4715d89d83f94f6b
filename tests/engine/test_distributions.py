"""A version stands for a package whose files an installer has copied, and for no other."""

import hashlib
import importlib
import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from resodectl.engine import distributions
from resodectl.engine.distributions import version

ROOT = Path(__file__).parents[2]
SETUP = "from setuptools import setup\nsetup(name='tiny-walks', version='1.0', packages=['tiny_walks']{})\n"


def forget() -> None:
    importlib.invalidate_caches()
    for function in vars(distributions).values():
        getattr(function, "cache_clear", lambda: None)()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder of packages on the path, with one module in it."""
    (tmp_path / "walks").mkdir()
    (tmp_path / "walks/__init__.py").write_text("STEP = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    forget()
    yield tmp_path
    forget()


def install(site: Path, record: str | None, origin: dict | None = None, kind: str = "walks-1.0.dist-info") -> None:
    """Write what an installer leaves beside a package."""
    (site / kind).mkdir()
    name = "METADATA" if kind.endswith("dist-info") else "PKG-INFO"
    (site / kind / name).write_text("Metadata-Version: 2.1\nName: walks\nVersion: 1.0\n")
    if record is not None:
        (site / kind / "RECORD").write_text(record)
    if origin is not None:
        (site / kind / "direct_url.json").write_text(json.dumps(origin))
    forget()


def recorded(site: Path) -> str:
    digest = hashlib.sha256((site / "walks/__init__.py").read_bytes()).hexdigest()
    return f"walks-1.0.dist-info/METADATA,,\nwalks/__init__.py,sha256={digest},9\n"


def test_a_package_whose_files_are_listed_with_hashes_has_a_version(site: Path) -> None:
    install(site, recorded(site))
    assert version("walks") == "1.0"


@pytest.mark.parametrize("record", ["walks/__init__.py,,\n", "__editable__.walks-1.0.pth,sha256=0,1\n", "", None])
def test_a_package_whose_files_are_not_listed_with_hashes_has_none(site: Path, record: str | None) -> None:
    install(site, record)
    assert version("walks") is None


@pytest.mark.parametrize("origin", [{"dir_info": {"editable": True}}, [], {"dir_info": 3}])
def test_an_editable_or_a_strange_origin_leaves_no_version(site: Path, origin: dict) -> None:
    install(site, recorded(site), origin)
    assert version("walks") is None


def test_a_package_in_its_source_folder_has_no_version(site: Path) -> None:
    install(site, None, kind="walks.egg-info")  # what `setup.py develop` leaves
    assert version("walks") is None


def test_another_package_of_that_name_earlier_on_the_path_has_no_version(
    site: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, recorded(site))
    here = tmp_path_factory.mktemp("here")
    (here / "walks.py").write_text("STEP = 2\n")
    monkeypatch.syspath_prepend(str(here))
    forget()
    assert version("walks") is None


def test_a_package_installed_from_a_folder_has_another_version_when_its_files_change(site: Path) -> None:
    install(site, recorded(site), {"dir_info": {}})
    before = version("walks")
    (site / "walks/__init__.py").write_text("STEP = 2\n")
    (site / "walks-1.0.dist-info/RECORD").write_text(recorded(site))
    forget()
    assert before.startswith("1.0 ")
    assert version("walks").startswith("1.0 ")
    assert version("walks") != before


def test_packages_of_another_name_than_their_distribution_and_without_an_init_are_known() -> None:
    assert version("sklearn") == importlib.metadata.version("scikit-learn")
    assert version("mpl_toolkits") == f"matplotlib {importlib.metadata.version('matplotlib')}"
    assert version("_pytest") == importlib.metadata.version("pytest")
    assert version("no_such_package") is None
    assert version("__main__") is None


@pytest.mark.parametrize("layout", ["", ", package_dir={'': 'src'}"])
def test_what_pip_installs_editable_is_code(tmp_path: Path, layout: str) -> None:
    source, prefix = tmp_path / "source", tmp_path / "prefix"
    package = source / ("src" if layout else ".") / "tiny_walks"
    package.mkdir(parents=True)
    (source / "setup.py").write_text(SETUP.format(layout))
    (package / "__init__.py").write_text("from tiny_walks import steps\n")
    (package / "steps.py").write_text("STEP = 1\n")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--prefix", prefix, "-e", source], check=True, capture_output=True)
    site = sysconfig.get_path("purelib", vars={"base": str(prefix)})
    (tmp_path / "uses_it.py").write_text("import tiny_walks\n")
    code = (
        f"import site, sys; sys.path[:0] = [{str(ROOT)!r}, {str(tmp_path)!r}]; site.addsitedir({site!r})\n"
        "from resodectl.engine.fingerprint import closure, fingerprint, third_party\n"
        "print(fingerprint(('uses_it',)), *closure(('uses_it',)), *third_party(('uses_it',)))"
    )

    def found() -> list[str]:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return done.stdout.split()

    before, *modules = found()
    assert modules == ["tiny_walks", "tiny_walks.steps", "uses_it"]
    (package / "steps.py").write_text("STEP = 2\n")
    assert found()[0] != before
