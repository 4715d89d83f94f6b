"""What may be asked about limiting flows: toys, algorithms, learning rates.

Arora, Li & Panigrahi 2022 (arXiv 2205.09745): |x(t) - X(lr^2 t)| = O(lr), uniformly for lr^2 t in [0, horizon].
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Dtype, Settings, setting

SEED_BLOCK = 1

Algorithm = Literal["normalised", "square-root"]
ToyName = Literal["surface", "ellipse", "two-normals"]
Ablation = Literal["none", "double-time", "ambient-flow"]
Rate = Annotated[float, Field(gt=0.0, le=0.25)]


class Run(Settings):
    """One algorithm on one toy."""

    toy: ToyName = setting("the loss")
    algorithm: Algorithm = setting("descent normalised by the gradient's norm, or on sqrt(L)")
    horizon: float = setting("how long the flow is followed", unit="tau = lr^2 t", gt=0.0, le=20.0)


class Params(Settings):
    runs: tuple[Run, ...] = setting("toys and algorithms", min_length=1)
    lrs: tuple[Rate, ...] = setting("learning rates", min_length=1)
    records: int = setting("rows of a path; what is largest is taken over all steps between", ge=2, default=200)
    flow_steps: int = setting("midpoint steps of the flow along the manifold", ge=1, default=400)
    ablation: Ablation = setting(
        "a formula that is wrong on purpose: the closed-form flow at twice the speed, or the integrated flow without "
        "tangent projection and retraction",
        default="none",
    )
    seeds: int = setting("1: nothing is random", ge=1, le=1, default=1)
    dtype: Dtype = setting("floating-point type", default="float64")

    @model_validator(mode="after")
    def paths_can_be_recorded(self) -> Self:
        shortest = min(run.horizon for run in self.runs) / max(self.lrs) ** 2
        if shortest < 2:
            raise ValueError(f"lrs: the learning rate {max(self.lrs):g} makes fewer than 2 steps in a horizon")
        if len(set(self.lrs)) < len(self.lrs):
            raise ValueError("lrs: a learning rate is given twice")
        return self


class Point(Settings):
    toy: ToyName
    algorithm: Algorithm
    horizon: float
    lrs: tuple[Rate, ...]
    records: int
    flow_steps: int
    ablation: Ablation
    dtype: Dtype


_OF_RUN = (
    Column("toy", "string", "", "the loss"),
    Column("algorithm", "string", "", "normalised descent, or descent on sqrt(L)"),
)
LOG = {
    "paths": (
        *_OF_RUN,
        Column("lr", "float64", "", "learning rate"),
        Column("step", "int64", "steps", "steps done"),
        Column("time", "float64", "tau", "lr^2 times the steps done"),
        Column("fraction", "float64", "", "of the horizon"),
        Column("landed", "bool", "", "whether the path has been within lr of the minimisers"),
        Column("coordinate", "float64", "", "where along the minimisers the iterate is"),
        Column("flow", "float64", "", "where the closed-form limiting flow is"),
        Column("error", "float64", "", "largest distance of the two from this row to the next"),
        Column("pair_stableness", "float64", "", "largest |1/S_t + 1/S_t+1 - 1| to the next row; NaN for sqrt(L)"),
        Column("pair_root_loss", "float64", "", "largest relative error of sqrt(L_t) + sqrt(L_t+1) to the next row"),
        Column("misalignment", "float64", "", "largest 1 - |cos| of gradient and top eigenvector to the next row"),
    ),
    "flows": (
        *_OF_RUN,
        Column("lr", "float64", "", "learning rate of the start"),
        Column("time", "float64", "tau", "time"),
        Column("integrated", "float64", "", "the flow integrated from third derivatives of the loss"),
        Column("flow", "float64", "", "the closed-form flow"),
        Column("distance", "float64", "", "of the integrated flow from the minimisers, to first order"),
    ),
    "landings": (
        *_OF_RUN,
        Column("lr", "float64", "", "learning rate"),
        Column("landing", "float64", "", "coordinate of the limit of gradient flow from the start"),
        Column("entry", "float64", "t lr", "lr times the steps until the path is within lr of the minimisers"),
    ),
}


def cells(params: Params) -> list[Point]:
    rest = params.model_dump(exclude={"runs", "seeds"})
    return [Point(**run.model_dump(), **rest) for run in params.runs]
