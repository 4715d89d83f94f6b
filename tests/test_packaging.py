"""What is installed is what stands in the repository."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from resodectl.datasets.load import locate
from resodectl.experiment import catalogue

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what git tracks."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in files.split("\0"):
        path = ROOT / name
        if name and (path.is_symlink() or path.is_file()):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            if path.is_symlink():
                os.symlink(os.readlink(path), source / name)
            else:
                (source / name).write_bytes(path.read_bytes())
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "-w", built, source], check=True, capture_output=True)
    return next(built.glob("*.whl"))


def relative(folder: Path, pattern: str) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.glob(pattern)}


def test_the_wheel_has_the_recipes_of_the_folder_and_the_editable_install(wheel: Path) -> None:
    inside = zipfile.ZipFile(wheel).namelist()
    shipped = {name.removeprefix("resodectl/recipes/") for name in inside if name.startswith("resodectl/recipes/")}
    assert shipped == relative(ROOT / "recipes", "*/*.yaml")
    assert shipped == {f"{name}.yaml" for name in catalogue.shipped()}
    for name in ("resodectl/papers.yaml", "resodectl/py.typed"):
        assert name in inside


def test_the_wheel_has_the_images_of_mnist_to_the_bit(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for path in locate("mnist-10k", None):
            assert archive.read(f"resodectl/datasets/{path.name}") == path.read_bytes()


def test_the_wheel_has_every_module_and_the_license(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    modules = {f"resodectl/{name}" for name in relative(ROOT / "resodectl", "**/*.py")}
    assert modules <= inside
    assert not [name for name in inside if name.startswith("tests/")]
    assert [name for name in inside if name.endswith("LICENSE")]


def test_the_installed_wheel_lists_and_runs_recipes_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    site, empty = tmp_path / "site", tmp_path / "empty"
    zipfile.ZipFile(wheel).extractall(site)
    empty.mkdir()
    code = f"import sys; sys.path.insert(0, {str(site)!r})\nfrom resodectl.cli.main import main\nmain()"
    name = next(iter(catalogue.shipped()))
    for args, expected in ((["list"], name), (["run", name, "--profile", "smoke", "-j", "1"], "hold")):
        command = [sys.executable, "-c", code, *args]
        done = subprocess.run(command, cwd=empty, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout


def test_no_file_has_grown_too_long_to_read() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (*ROOT.glob("resodectl/**/*.py"), *ROOT.glob("tests/**/*.py"))
        if (lines := len(path.read_text("utf-8").splitlines())) > 350
    }
    assert long == {}
