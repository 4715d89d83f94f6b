"""Classifiers of points in the plane, by a wide two-layer ReLU network and by the exact optima of both norms.

Chizat & Bach 2020 (arXiv 2002.04486), Figure 1: inputs are (1, x, y).
"""

from typing import Annotated, Literal

from pydantic import Field

from resodectl.experiment.choices import Distinct, Dtype, FileName, Rate, Width
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting

MOST = 200  # points: a round of the exact optimum takes memory like the cube of those it singles out


class Clusters(Settings):
    """Points in discs of radius D = 1 / (3k - 1) on a k x k grid, at distances D; half of the discs have label -1."""

    kind: Literal["clusters"]
    discs: int = setting("number k of discs in a row", ge=2, le=10)
    samples: int = setting("points", unit="points", ge=2, le=MOST)


class Xor(Settings):
    """The four points (+-a, +-b), whose label is the product of the signs."""

    kind: Literal["xor"]
    across: float = setting("the coordinate a", gt=0.0, le=10.0)
    along: float = setting("the coordinate b", gt=0.0, le=10.0)


class File(Settings):
    """Points of a reader's own: a CSV file with columns x, y and label, -1 or 1; at most 200 rows.

    The networks see them moved and scaled, so that they just fit into the square [-1/2, 1/2]^2 of the other sets.
    """

    kind: Literal["file"]
    file: FileName = setting("the file, beside the recipe or in --data-root")


Data = Annotated[Clusters | Xor | File, Field(discriminator="kind")]


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    data: Data = setting("the labelled points")
    width: Width = setting("hidden units m", unit="units")
    lr: Rate = setting("step size: the step t is lr / sqrt(t + 1) times m times the gradient of the smooth margin")
    steps: int = setting("steps of ascent", unit="steps", ge=1)
    records: int = setting("logarithmically spaced records of a run, at most", ge=2, default=60)
    tolerance: float = setting("relative gap at which the largest F1 margin is known", gt=0.0, le=0.1, default=1e-5)
    features: Distinct[Width] = setting("numbers of random features whose kernel is compared with the arc-cosine one")
    resolution: int = setting("points of the shown square in each direction", unit="points", ge=2, default=61)
    shown: int = setting("hidden units whose paths are kept, the first ones", unit="units", ge=1, default=8)
    dtype: Dtype = setting("floating-point type of the networks", default="float64")


class Params(Shared):
    """What a recipe sets."""

    seeds: int = setting("independent networks, and data sets where they are drawn", ge=1)


class Point(Shared):
    """What determines a cell."""


_SEED = Column("seed", "int64", "", "seed of the network, and of the points where they are drawn")
_RUN = (
    Column("method", "string", "", "both: both layers are trained; output: the output layer alone, from 0 on"),
    _SEED,
    Column("step", "int64", "steps", "steps done"),
)
_PLACE = (Column("x", "float64", "", "first coordinate"), Column("y", "float64", "", "second coordinate"))
LOG = {
    "margins": (
        *_RUN,
        Column(
            "margin",
            "float64",
            "",
            "least y f(x) over |W|^2 / m (both), or over the least |W|^2 / m of the same f and directions (output)",
        ),
        Column("best", "float64", "", "the largest margin so far: after any step (both), at any record (output)"),
        Column("upper", "float64", "", "certified upper bound on the margin of a network of any width"),
        Column("ratio", "float64", "", "best / upper"),
        Column(
            "kernel_ratio",
            "float64",
            "",
            "output: the largest least y f(x) over |b| / sqrt(m) so far, over the largest possible with these units; "
            "both, or if they cannot separate the points: NaN",
        ),
        Column(
            "alignment",
            "float64",
            "",
            "mean cosine of a hidden unit with the nearest atom of the exact F1 optimum of its sign, weighted by "
            "|a| |b|",
        ),
    ),
    "optima": (
        Column("labels", "string", "", "given; or, where points are drawn, permuted among them at random"),
        _SEED,
        Column("f1_lower", "float64", "", "margin of the best measure found in the unit ball of F1"),
        Column("f1_upper", "float64", "", "certified upper bound on the margins in that ball"),
        Column("atoms", "int64", "units", "hidden units of the best measure found"),
        Column("points", "int64", "points", "number of the points"),
        Column("f2_lower", "float64", "", "margin of the SVM with the arc-cosine kernel, |f| <= 1 in F2"),
        Column("f2_upper", "float64", "", "upper bound on the margins in that ball"),
        Column("svm", "float64", "", "distance of the points from the best separating line; NaN where there is none"),
    ),
    "features": (
        Column("features", "int64", "units", "random features"),
        _SEED,
        Column("draw", "int64", "", "number of the draw of the features, for the points of the seed"),
        Column("ratio", "float64", "", "the largest margin with their kernel, over that with the arc-cosine kernel"),
    ),
    "agreement": (
        Column("classifier", "string", "", "both or output: which layers were trained"),
        Column("optimum", "string", "", "f1 or f2: the exact optimum that it is compared with"),
        _SEED,
        Column("share", "float64", "", "share of the shown square where their signs agree"),
    ),
    "points": (
        Column("part", "string", "", "sample, or centre of a disc; the samples again where there are no discs"),
        _SEED,
        *_PLACE,
        Column("label", "float64", "", "-1 or 1; NaN for centres"),
    ),
    "atoms": (
        _SEED,
        Column("u", "float64", "", "weight of x in an atom of the exact F1 optimum, of length one with its bias"),
        Column("v", "float64", "", "weight of y in it"),
        Column("mass", "float64", "", "its signed mass"),
    ),
    "particles": (
        *_RUN,
        Column("unit", "int64", "", "number of the hidden unit"),
        Column("u", "float64", "", "weight of x in the hidden unit, times |b|"),
        Column("v", "float64", "", "weight of y in it, times |b|"),
        Column("positive", "bool", "", "whether its output weight b is positive"),
        Column("mean", "float64", "", "mean |a| |b| over all hidden units of the network"),
    ),
    "surfaces": (
        Column("classifier", "string", "", "both, output (trained), f1, f2 (exact) or svm (the best line)"),
        _SEED,
        *_PLACE,
        Column(
            "value",
            "float32",
            "",
            "f over its least margin on the samples, or its median |f| there if it fails on one; svm: NaN if no line "
            "separates them",
        ),
    ),
}
SEED_BLOCK = 8


def cells(params: Params) -> list[Point]:
    """One cell."""
    return [point(Point, params)]
