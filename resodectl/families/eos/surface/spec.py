"""What may be asked of descents on L = (1 + x^2) y^2: algorithm, step, start, number of iterates.

Arora, Li & Panigrahi 2022 (arXiv 2205.09745), Figure 1.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Dtype, Settings, setting

SEED_BLOCK = 1

Algorithm = Literal["normalised", "square-root"]
Coordinate = Annotated[float, Field(ge=-100.0, le=100.0)]


class Run(Settings):
    """One descent."""

    algorithm: Algorithm = setting("descent normalised by the gradient's norm, or on sqrt(L)")
    lr: float = setting("learning rate", gt=0.0)
    start: tuple[Coordinate, Coordinate] = setting("x and y of the first iterate")
    steps: int = setting("steps", ge=1, le=10_000)

    @model_validator(mode="after")
    def starts_off_the_minimisers(self) -> Self:
        if self.start[1] == 0:
            raise ValueError("start: both descents divide by zero on the minimisers y = 0")
        return self


class Params(Settings):
    runs: tuple[Run, ...] = setting("the descents", min_length=1)
    seeds: int = setting("1: nothing is random", ge=1, le=1, default=1)
    dtype: Dtype = setting("floating-point type", default="float64")


class Point(Run):
    dtype: Dtype


LOG = {
    "iterates": (
        Column("algorithm", "string", "", "normalised descent, or descent on sqrt(L)"),
        Column("lr", "float64", "", "learning rate"),
        Column("step", "int64", "steps", "steps done"),
        Column("x", "float64", "", "along the valley"),
        Column("y", "float64", "", "across the valley"),
        Column("root_loss", "float64", "", "sqrt(L)"),
        Column("valley_sharpness", "float64", "", "lambda_1 of Hess L at the minimiser (x, 0)"),
        Column("stableness", "float64", "", "lr lambda_1 of the Hessian of what is descended on, over |grad L| for L"),
    ),
}


def cells(params: Params) -> list[Point]:
    return [Point(**run.model_dump(), dtype=params.dtype) for run in params.runs]
