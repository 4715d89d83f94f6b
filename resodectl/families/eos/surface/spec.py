"""Iterates of two descents on L = (1 + x^2) y^2.

Arora, Li & Panigrahi 2022 (arXiv 2205.09745), Figure 1.
"""

from typing import Self

from pydantic import model_validator

from resodectl.experiment.choices import Algorithm, Coordinate, Dtype
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting


class Run(Settings):
    """One descent."""

    algorithm: Algorithm = setting("descent normalised by the gradient's norm, or on sqrt(L)")
    lr: float = setting("learning rate", gt=0.0)
    start: tuple[Coordinate, Coordinate] = setting("x and y of the first iterate")
    steps: int = setting("steps of descent", ge=1, le=10_000)

    @model_validator(mode="after")
    def starts_off_the_minimisers(self) -> Self:
        """Refuse a start at which the steps are not defined."""
        if self.start[1] == 0:
            raise ValueError("start: both descents divide by zero on the minimisers y = 0")
        return self


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    dtype: Dtype = setting("floating-point type", default="float64")


class Params(Shared):
    """What a recipe sets."""

    runs: tuple[Run, ...] = setting("the descents", min_length=1)
    seeds: int = setting("1: nothing is random", ge=1, le=1, default=1)

    @model_validator(mode="after")
    def runs_can_be_told_apart(self) -> Self:
        """Refuse two runs of one algorithm with one learning rate."""
        if len({(run.algorithm, run.lr) for run in self.runs}) < len(self.runs):
            raise ValueError("runs: an algorithm is given twice with one learning rate")
        return self


class Point(Shared, Run):
    """What determines a cell."""


LOG = {
    "iterates": (
        Column("algorithm", "string", "", "normalised descent, or descent on sqrt(L)"),
        Column("lr", "float64", "", "learning rate"),
        Column("step", "int64", "steps", "steps done"),
        Column("x", "float64", "", "coordinate along the valley"),
        Column("y", "float64", "", "coordinate across the valley"),
        Column("root_loss", "float64", "", "sqrt(L)"),
        Column("valley_sharpness", "float64", "", "lambda_1 of Hess L at the minimiser (x, 0)"),
        Column(
            "stableness",
            "float64",
            "",
            "lr lambda_1 of Hess sqrt(L), or lr / |grad L| lambda_1 of Hess L in normalised descent",
        ),
    ),
}
SEED_BLOCK = 1


def cells(params: Params) -> list[Point]:
    """One cell for each descent."""
    return [point(Point, params, **dict(run)) for run in params.runs]
