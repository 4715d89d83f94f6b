"""Distance of descents from their limiting flows by toy, algorithm and learning rate.

Arora, Li & Panigrahi 2022 (arXiv 2205.09745): |x(t) - X(lr^2 t)| = O(lr), uniformly for lr^2 t in [0, horizon].
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from resodectl.experiment.choices import Algorithm, Distinct, Dtype, FlowAblation, Rate, ToyName
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting

SmallRate = Annotated[Rate, Field(le=0.25)]
NearBy = Annotated[float, Field(ge=-2.5, le=2.5)]
HalfAxis = Annotated[float, Field(ge=1.0, le=4.0)]
ELLIPSE: tuple[float, float] = (2.0, 1.0)
SIZES: dict[ToyName, int] = {"surface": 2, "ellipse": 2, "two-normals": 3}


class Run(Settings):
    """One algorithm on one toy."""

    toy: ToyName = setting("the loss")
    algorithm: Algorithm = setting("descent normalised by the gradient's norm, or on sqrt(L)")
    horizon: float = setting("how long the flow is followed", unit="tau = lr^2 t", gt=0.0, le=20.0)
    start: tuple[NearBy, ...] | None = setting(
        "first iterate: x and y, or a, b and z of two-normals; null: (2, 0.3 lr) on the surface, 0.3 lr times its "
        "point at the angle 1.2 outside the ellipse, (0.8, 1, 2) of two-normals",
        default=None,
    )
    axes: tuple[HalfAxis, HalfAxis] = setting("half axes of the ellipse, the longer one first", default=ELLIPSE)

    @model_validator(mode="after")
    def starts_on_a_slope(self) -> Self:
        """Refuse axes that play no part or make no flow, and starts without a gradient or of the wrong size."""
        if self.toy != "ellipse" and self.axes != ELLIPSE:
            raise ValueError(f"axes: '{self.toy}' has none")
        if self.axes[0] <= self.axes[1]:
            raise ValueError("axes: give the longer one first; on a circle nothing flows")
        if self.start is None:
            return self
        if len(self.start) != SIZES[self.toy]:
            raise ValueError(f"start: '{self.toy}' has {SIZES[self.toy]} coordinates")
        if self.toy == "ellipse":
            x, y = self.start
            if x <= 0:
                raise ValueError("start: the ellipse is entered from x > 0; its other half is a mirror image")
            on_minimisers = (x / self.axes[0]) ** 2 + (y / self.axes[1]) ** 2 == 1
        else:
            on_minimisers = self.start[1] == 0 and (self.toy == "surface" or self.start[0] == 0)
        if on_minimisers:
            raise ValueError("start: both descents divide by zero on the minimisers")
        return self


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    lrs: Distinct[SmallRate] = setting("learning rates")
    records: int = setting("rows of a path; an error in a row is the largest one up to the next row", ge=2, default=200)
    flow_steps: int = setting("midpoint steps of the flow along the manifold", ge=1, default=200)
    ablation: FlowAblation = setting(
        "what is wrong on purpose, or none: double-time takes the closed-form flow at twice the speed, no-retraction "
        "integrates the flow tangent to the minimisers but never brought back to them, ambient-flow not tangent either",
        default="none",
    )
    dtype: Dtype = setting("floating-point type", default="float64")


class Params(Shared):
    """What a recipe sets."""

    runs: tuple[Run, ...] = setting("toys and algorithms", min_length=1)
    seeds: int = setting("1: nothing is random", ge=1, le=1, default=1)

    @model_validator(mode="after")
    def paths_can_be_recorded(self) -> Self:
        """Refuse paths of fewer than two steps, and runs that could not be told apart."""
        shortest = min(run.horizon for run in self.runs) / max(self.lrs) ** 2
        if shortest < 2:
            raise ValueError(f"lrs: the learning rate {max(self.lrs):g} makes fewer than 2 steps in a horizon")
        if len({(run.toy, run.algorithm) for run in self.runs}) < len(self.runs):
            raise ValueError("runs: an algorithm is given twice on one toy, which the log could not tell apart")
        return self


class Point(Shared, Run):
    """What determines a cell: all learning rates are one program."""


_SHARED = (
    Column("toy", "string", "", "the loss"),
    Column("algorithm", "string", "", "normalised descent, or descent on sqrt(L)"),
)
LOG = {
    "paths": (
        *_SHARED,
        Column("lr", "float64", "", "learning rate"),
        Column("step", "int64", "steps", "steps done"),
        Column("time", "float64", "tau", "lr^2 times the steps done"),
        Column("fraction", "float64", "", "share of the horizon that has passed"),
        Column("landed", "bool", "", "whether the path has been within lr of the minimisers"),
        Column("coordinate", "float64", "", "place of the iterate along the minimisers"),
        Column("pair_mean", "float64", "", "mean of that place and the next iterate's"),
        Column("flow", "float64", "", "place of the closed-form limiting flow along the minimisers"),
        Column("error", "float64", "", "largest |coordinate - flow| from this row to the next"),
        Column("pair_stableness", "float64", "", "largest |1/S_t + 1/S_t+1 - 1| to the next row; NaN for sqrt(L)"),
        Column("pair_root_loss", "float64", "", "largest relative error of sqrt(L_t) + sqrt(L_t+1) to the next row"),
        Column("misalignment", "float64", "", "largest 1 - |cos| of gradient and top eigenvector to the next row"),
    ),
    "flows": (
        *_SHARED,
        Column("lr", "float64", "", "learning rate whose descent starts where this flow does"),
        Column("time", "float64", "tau", "time on the flow, from its start"),
        Column("integrated", "float64", "", "place of the flow integrated from third derivatives of the loss"),
        Column("flow", "float64", "", "place of the closed-form flow"),
        Column("distance", "float64", "", "distance of the integrated flow from the minimisers, to first order"),
    ),
    "landings": (
        *_SHARED,
        Column("lr", "float64", "", "learning rate"),
        Column("landing", "float64", "", "place where gradient flow from the start ends"),
        Column("entry", "float64", "t lr", "lr times the steps until the path is within lr of the minimisers"),
    ),
}
SEED_BLOCK = 1


def cells(params: Params) -> list[Point]:
    """One cell for each run."""
    return [point(Point, params, **dict(run)) for run in params.runs]
