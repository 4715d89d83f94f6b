"""Descent with weight decay on L = (1 + a u_1^2) u_3^2 / 2, u = w / |w| in three dimensions.

Lyu, Li & Arora 2022 (arXiv 2206.07085). The minimisers are the circle u = (cos p, sin p, 0); at longitude p the
sharpness is 1 + a cos^2 p.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from resodectl.experiment.choices import Distinct, Dtype, ReductionAblation
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting

Start = Literal["edge", "distant"]
Ablation = Literal[ReductionAblation, "no-power"]
Decay = Annotated[float, Field(gt=0.0)]


class Distant(Settings):
    """A run that starts with large weights, where descent is stable."""

    norm: float = setting("norm of the weights", gt=0.0)
    decay: Decay = setting("weight decay l")


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    anisotropy: float = setting("a: the sharpness is 1 + a at longitude 0 and 1 at pi/2", gt=0.0, default=4.0)
    lr: float = setting("learning rate h", gt=0.0)
    duration: float = setting("length of a run in the time tau = h l t", gt=0.0)
    longitude: float = setting("longitude of the start", unit="rad", gt=0.0, lt=1.5)
    spread: float = setting(
        "each seed draws its longitude of the start within this distance of `longitude`", unit="rad", ge=0.0
    )
    height: float = setting("height u_3 of the start over the circle, in units of e = sqrt(2 h l)", gt=0.0, default=0.5)
    records: int = setting("intervals that a run is cut into, a row each", ge=10, default=300)
    ablation: Ablation = setting(
        "what is wrong on purpose, or none: no-decay descends without weight decay, linear-norm takes |w| for |w|^2 in "
        "the effective step, no-power takes (1 - h l) for its fourth power in RMSprop; the flow is computed with "
        "no-denominator (-G / 2), no-projection (to the tangent space of the sphere) or in double-time (2 h l t)",
        default="none",
    )
    dtype: Dtype = setting("floating-point type", default="float64")


class Params(Shared):
    """What a recipe sets."""

    decays: Distinct[Decay] = setting("weight decays l of the runs that start at the edge")
    distant: Distant | None = setting("a run that starts away from the edge", default=None)
    seeds: int = setting("independent starts", ge=1)

    @model_validator(mode="after")
    def every_interval_has_a_pair_of_steps(self) -> Self:
        """Refuse runs too short for their rows, and steps that weight decay alone makes unstable."""
        decays = [*self.decays, *([self.distant.decay] if self.distant else [])]
        if self.lr * max(decays) >= 1:
            raise ValueError(f"decays: h l must be below 1, and is {self.lr * max(decays):g}")
        steps = self.duration / (self.lr * max(decays))
        if steps < 2 * self.records:
            raise ValueError(f"records: {self.records} intervals of at least 2 steps do not fit into {steps:.0f} steps")
        return self


class Point(Shared):
    """What determines a cell."""

    start: Start
    norm: float | None
    decay: Decay


_SHARED = (
    Column("start", "string", "", "edge: with |w|^2 = h lambda / 2; distant: with larger weights"),
    Column("decay", "float64", "", "weight decay l"),
    Column("lr", "float64", "", "learning rate h"),
    Column("anisotropy", "float64", "", "anisotropy a"),
    Column("ablation", "string", "", "what is wrong on purpose, or none"),
    Column("seed", "int64", "", "seed of the start"),
)
LOG = {
    "curves": (
        *_SHARED,
        Column("step", "int64", "steps", "steps done before the interval, t"),
        Column("time", "float64", "tau", "h l t"),
        Column("loss", "float64", "", "L, the mean of the first two steps of the interval"),
        Column("longitude", "float64", "rad", "longitude p, the mean of the first two steps"),
        Column("flow", "float64", "rad", "longitude of the sharpness-reduction flow at that time"),
        Column("sharpness", "float64", "", "largest eigenvalue of the spherical Hessian, mean of the first two steps"),
        Column("threshold", "float64", "", "2 / eta, eta the effective step, the mean of the first two steps"),
        Column(
            "ratio",
            "float64",
            "",
            "(1 + a cos^2 p) eta / 2, the sharpness over its threshold, the mean over the interval",
        ),
        Column("oscillation", "float64", "", "u_3^2, the mean over the interval"),
        Column("predicted_oscillation", "float64", "", "2 h l / (4 + |G|^2), the mean over the interval"),
        Column("rmsprop_error", "float64", "", "step of RMSprop / eta - 1 at the end of the interval"),
        Column(
            "time_to_edge",
            "float64",
            "",
            "predicted tau at which the edge is reached: log(|w_0|^2 / (h lambda_0 / 2)) / 2",
        ),
    ),
    "path": (
        *_SHARED,
        Column("step", "int64", "steps", "steps done, t; the first two of each interval are kept"),
        Column("u1", "float64", "", "w_1 / |w|"),
        Column("u2", "float64", "", "w_2 / |w|"),
        Column("u3", "float64", "", "w_3 / |w|"),
    ),
}
SEED_BLOCK = 32


def cells(params: Params) -> list[Point]:
    """One cell for each weight decay, the slowest first, and one for the distant start."""
    points = [point(Point, params, start="edge", norm=None, decay=decay) for decay in sorted(params.decays)]
    if params.distant:
        points.append(point(Point, params, start="distant", **dict(params.distant)))
    return points
