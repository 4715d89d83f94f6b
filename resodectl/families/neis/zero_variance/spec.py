"""Flows with a speed T under which the variance of the weights tends to 0, and exact oracles of the estimators.

Cao & Vanden-Eijnden 2022 (arXiv 2206.09908): along a constant velocity in one dimension, a linear one between
Gaussians, and the gradient of a solution of Poisson's equation, the estimator in infinite time is exact for every
sample.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from resodectl.experiment.choices import Distinct, Dtype
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting
from resodectl.families.neis.target_settings import ModesGiven

Speed = Annotated[float, Field(gt=0.0, le=1000.0)]
Steps = Annotated[int, Field(ge=2, le=10_000)]
Samples = Annotated[int, Field(ge=4, le=100_000)]
FieldName = Literal["constant", "gaussian", "square", "rotation", "rest"]
LADDERS: tuple[FieldName, ...] = ("constant", "gaussian", "square")
ORACLES: tuple[FieldName, ...] = ("rotation", "rest")


class Ladder(Settings):
    """The speeds at which one flow is looked at."""

    speeds: Distinct[Speed] = setting("speeds T: the velocity is T b")
    steps: Steps = setting("Runge-Kutta steps per unit of time, an even number", unit="steps", multiple_of=2)


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    modes: ModesGiven = setting("the target of the constant velocity, a mixture in one dimension")
    dim: int = setting("dimension of the Gaussians", ge=1, le=100, default=3)
    scale: float = setting("standard deviation s of the Gaussian target", gt=0.0, lt=1.0, default=0.5)
    shift: float = setting("each coordinate w of its mean", ge=-10.0, le=10.0, default=1.0)
    amplitude: float = setting("a of rho1 = 1 - a cos(2 pi x) cos(2 pi y)", gt=0.0, lt=1.0, default=0.9)
    distance: float = setting("distance mu of the rotation's target from the origin", gt=0.0, le=5.0, default=3.0)
    spread: float = setting("its variance v", gt=0.0, le=1.0, default=0.2)
    dtype: Dtype = setting("floating-point type", default="float64")


class Params(Shared):
    """What a recipe sets."""

    constant: Ladder = setting("speeds of the constant velocity b = 1 in one dimension")
    gaussian: Ladder = setting("speeds of b = x - w / (1 - s) from N(0, I) to N(w, s^2 I)")
    square: Ladder = setting("speeds of the gradient of Poisson's solution on the square with walls")
    oracle_steps: Distinct[Steps] = setting("steps per unit of time along a rotation", unit="steps")
    ladder_samples: Samples = setting(
        "samples of a seed along a ladder; on the square one in each cell of a grid, of at most so many cells",
        unit="samples",
    )
    oracle_samples: Samples = setting("samples of a seed that are turned, or rest", unit="samples")
    seeds: int = setting("independent sets of samples", ge=1)

    @model_validator(mode="after")
    def modes_are_on_the_line(self) -> Self:
        """Refuse a mixture of more dimensions than the constant velocity has."""
        if len(self.modes.centres[0]) != 1:
            raise ValueError("modes: the constant velocity is in one dimension; give each centre one number")
        return self


class Point(Shared):
    """What determines a cell."""

    field: FieldName
    speed: Speed
    steps: Steps
    samples: Samples


LOG = {
    "weights": (
        Column(
            "field", "string", "", "constant, gaussian, square; rotation (one turn in a unit of time), rest (b = 0)"
        ),
        Column("steps", "int64", "steps", "Runge-Kutta steps per unit of time"),
        Column("seed", "int64", "", "seed of the samples"),
        Column("speed", "float64", "", "speed T of the flow"),
        Column(
            "method",
            "string",
            "",
            "int: finite time by path and trapezoidal rule, t- = -1/2 (0 for rotation and rest); ode: finite time by "
            "the joint equation, t- = 0; infinite: both integrals from -T to T, in the time of b",
        ),
        Column(
            "ablation",
            "string",
            "",
            "none; no-jacobian (J = 1); double-divergence; full-base (U0 = |x|^2); one-sided (t- = 0); fixed-window "
            "(B = int F0 over [-1/2, 1/2])",
        ),
        Column("relative_mean", "float64", "", "mean of A / R over the samples"),
        Column("relative_variance", "float64", "", "Var(A) / R^2 over the samples, with 1 / n"),
        Column(
            "largest_error",
            "float64",
            "",
            "largest |A / R - 1| of a sample; of rotation and rest the largest relative error of its A",
        ),
    ),
}
SEED_BLOCK = 8


def cells(params: Params) -> list[Point]:
    """One cell for each flow and speed, one for each number of steps along a rotation, and one without a velocity."""
    ladders = {"constant": params.constant, "gaussian": params.gaussian, "square": params.square}
    climbed = [
        point(Point, params, field=name, speed=speed, steps=ladders[name].steps, samples=params.ladder_samples)
        for name in LADDERS
        for speed in ladders[name].speeds
    ]
    still = {"speed": 1.0, "samples": params.oracle_samples}
    turned = [point(Point, params, field="rotation", steps=steps, **still) for steps in params.oracle_steps]
    return [*climbed, *turned, point(Point, params, field="rest", steps=params.constant.steps, **still)]
