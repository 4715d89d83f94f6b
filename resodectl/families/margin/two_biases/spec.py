"""Ascent from large weights with f = 0: the margins of the tangent kernel and of the variation norm along one run.

Chizat & Bach 2020 (arXiv 2002.04486): two implicit biases in one run. Inputs are (1, x, y).
"""

from typing import Self

from pydantic import model_validator

from resodectl.experiment.choices import Dtype, Rate
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting


class Stage(Settings):
    """Steps of one size."""

    lr: Rate = setting("step size: the step t of the run is lr / sqrt(t + 1) times m times the gradient")
    steps: int = setting("number of these steps", unit="steps", ge=1)


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    samples: int = setting(
        "points in each of four discs of radius 1/5 around (+-3/10, +-3/10), labelled by the product of the signs",
        unit="points",
        ge=1,
        le=25,
    )
    width: int = setting("hidden units m, in pairs of equal hidden and opposite output weights", unit="units", ge=2)
    scale: float = setting("standard deviation of each weight at the start", gt=0.0, le=1e4)
    stages: tuple[Stage, ...] = setting("the stages of ascent, one after the other", min_length=1)
    records: int = setting("logarithmically spaced records of a run, at most", ge=2, default=70)
    tolerance: float = setting("relative gap at which the largest F1 margin is known", gt=0.0, le=0.1, default=1e-5)
    resolution: int = setting("points of [-1/2, 1/2]^2 in each direction, where f is compared", ge=2, default=25)
    dtype: Dtype = setting("floating-point type", default="float64")

    @model_validator(mode="after")
    def units_are_in_pairs(self) -> Self:
        """Refuse an odd number of hidden units."""
        if self.width % 2:
            raise ValueError(f"width: {self.width} hidden units cannot be put into pairs; take an even number")
        return self


class Params(Shared):
    """What a recipe sets."""

    seeds: int = setting("independent networks and data sets", ge=1)


class Point(Shared):
    """What determines a cell."""


LOG = {
    "biases": (
        Column("seed", "int64", "", "seed of the points and of the first weights"),
        Column("step", "int64", "steps", "steps done"),
        Column("stage", "int64", "", "number of the stage of the last step, from 1"),
        Column(
            "tangent",
            "float64",
            "",
            "least y <df(x)/dW, V> over |V| / sqrt(m), V the change of the weights W since the start, the derivative "
            "taken there; over the largest value that any V gives",
        ),
        Column("tangent_best", "float64", "", "the largest of these at any record so far"),
        Column("f1", "float64", "", "least y f(x) over |W|^2 / m, over its certified upper bound for any width"),
        Column("relative_change", "float64", "", "|V| over |W| at the start"),
        Column(
            "like_tangent", "float64", "", "cosine of f on the square with the classifier of largest tangent margin"
        ),
        Column("like_f1", "float64", "", "cosine of f on the square with the classifier of largest F1 margin"),
    )
}
SEED_BLOCK = 8


def cells(params: Params) -> list[Point]:
    """One cell."""
    return [point(Point, params)]
