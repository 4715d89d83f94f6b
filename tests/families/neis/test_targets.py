"""Targets by their settings: mixtures in numbers and Python files, and what is said of those that are wrong."""

import math
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from resodectl.datasets.dataset import DataError
from resodectl.experiment.context import Context
from resodectl.experiment.outside import input_files
from resodectl.experiment.settings import Settings
from resodectl.families.neis.target_file import read_target
from resodectl.families.neis.target_settings import TargetChoice
from resodectl.families.neis.targets import target_of
from resodectl.numerics.sampling.targets import Differentiated, Funnel, Mixture, mixture

BANANA = """
import math
import torch

DIM = 2
RATIO = 0.5

def log_density(x):
    bend = x[..., 1] + x[..., 0] ** 2 - 1
    return -0.5 * x[..., 0] ** 2 - 2 * bend ** 2
"""


def chosen(**fields: object) -> TargetChoice:
    return TypeAdapter(TargetChoice).validate_python(fields)


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_each_kind_of_target_is_built_from_its_settings(tmp_path: Path) -> None:
    path = written(tmp_path, BANANA)
    context = Context((0,), torch.device("cpu"), torch.float64, inputs={"mine.py": path})
    two, four = (target_of(chosen(kind=kind), context) for kind in ("two-modes", "four-modes"))
    assert (two.dim, two.ratio, four.dim, four.ratio) == pytest.approx((2, 0.1, 10, 1.0))
    assert target_of(chosen(kind="funnel", dim=4, radius=3.0), context) == Funnel(4, 3.0)
    given = chosen(kind="mixture", weights=(2.0, 1.0), centres=((1.0,), (0.0,)), variances=((0.25,), (4.0,)))
    built, expected = target_of(given, context), mixture([2.0, 1.0], [[1.0], [0.0]], [[0.25], [4.0]])
    assert isinstance(built, Mixture)
    x = torch.linspace(-3, 3, 7, dtype=torch.float64).unsqueeze(1)
    torch.testing.assert_close(built.log_density(x), expected.log_density(x))
    assert built.ratio == pytest.approx(3.0)
    assert isinstance(target_of(chosen(kind="file", file="mine.py"), context), Differentiated)


def test_the_content_of_a_named_file_counts() -> None:
    class Point(Settings):
        target: TargetChoice

    assert input_files(Point(target=chosen(kind="file", file="mine.py"))) == ("mine.py",)
    assert input_files(Point(target=chosen(kind="two-modes"))) == ()


def test_a_python_file_gives_its_density_gradient_and_ratio(tmp_path: Path) -> None:
    target = read_target(written(tmp_path, BANANA))
    density, gradient = target.with_gradient(torch.tensor([[[1.0, 2.0]], [[0.0, 0.0]]], dtype=torch.float64))
    assert (target.dim, target.ratio) == (2, 0.5)
    assert density.tolist() == [[-0.5 - 8], [-2.0]]
    assert gradient.tolist() == [[[-1 - 16.0, -8.0]], [[0.0, 4.0]]]
    assert read_target(written(tmp_path, BANANA.replace("RATIO = 0.5", ""))).ratio is None


def test_the_target_of_the_documentation_is_one(tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs/your-own.md"
    (text,) = [block for block in page.read_text("utf-8").split("```") if "def log_density" in block]
    target = read_target(written(tmp_path, text.removeprefix("py\n")))
    axis = torch.linspace(-6, 6, 401, dtype=torch.float64)
    heights = torch.linspace(-40, 8, 3201, dtype=torch.float64)
    x = torch.stack(torch.meshgrid(axis, heights, indexing="ij"), -1)
    mass = target.log_density(x).exp().sum() * (axis[1] - axis[0]) * (heights[1] - heights[0])
    assert mass.item() / (2 * math.pi) == pytest.approx(target.ratio, rel=1e-6)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("DIM = 2\ndef log_density(x) return 1", "no Python file"),
        ("import numpy\n" + BANANA, "line 1: it imports 'numpy'"),
        (BANANA + "\ndef f():\n    from .near import g\n", "imports '.near'"),
        (BANANA + "\nraise KeyError('x')", "running the file failed: KeyError"),
        (BANANA.replace("DIM = 2", "DIM = 2.0"), "DIM is 2.0"),
        (BANANA.replace("DIM = 2", "DIM = True"), "DIM is True"),
        (BANANA.replace("DIM = 2", "DIM = 0"), "DIM is 0"),
        (BANANA.replace("log_density", "density"), "no function log_density"),
        (BANANA.replace("RATIO = 0.5", "RATIO = -1"), "RATIO is -1"),
        (BANANA.replace("DIM = 2", "DIM = 1"), "failed: IndexError"),
        ("DIM = 2\ndef log_density(x):\n    return -x**2", "shape"),
        ("DIM = 2\ndef log_density(x):\n    return -(x**2).sum()", "shape"),
        ("DIM = 2\ndef log_density(x):\n    return (x - 9).log().sum(-1)", "NaN"),
        ("DIM = 2\ndef log_density(x):\n    return -(x.sum(-1) - x.mean()) ** 2", "own place alone"),
    ],
)
def test_a_file_that_is_no_target_is_refused_with_the_reason(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(DataError, match=says) as refused:
        read_target(written(tmp_path, text))
    assert "mine.py" in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"centres": ((0.0, 0.0),)}, "centres: 1 lists for 2 weights"),
        ({"variances": ((1.0, 1.0), (1.0,))}, "variances: 1 coordinates"),
        ({"centres": ((0.0, 0.0), (0.0, 0.0, 0.0))}, "centres: 3 coordinates"),
        ({"weights": (1.0, 0.0)}, "greater than 0"),
        ({"variances": ((1.0, 1.0), (1.0, -1.0))}, "greater than 0"),
        ({"centres": ((0.0, math.nan), (1.0, 1.0))}, "finite"),
    ],
)
def test_modes_that_do_not_fit_together_are_refused(wrong: dict[str, object], says: str) -> None:
    good = {"kind": "mixture", "weights": (1.0, 2.0), "centres": ((0.0, 0.0),) * 2, "variances": ((1.0, 1.0),) * 2}
    chosen(**good)
    with pytest.raises(ValidationError, match=says):
        chosen(**(good | wrong))
