"""The direction of one leaky unit long after its points are fitted, beside the exact max-margin points.

Wang, Meng, Chen & Liu 2021 (arXiv 2012.06244): with a conditioner h that tends to h_inf, the direction tends to a KKT
point of min |h_inf^(-1/2) w|^2 under q >= 1. Plain steps get there logarithmically in time; from `plain_steps` on they
are scaled by the loss, so that the direction moves by a given angle each.
"""

from typing import Literal, Self

from pydantic import model_validator

from resodectl.experiment.choices import Distinct, Dtype, Rate
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting

Optimiser = Literal["gd", "adagrad", "scalar-adagrad", "rmsprop", "adam", "sign"]


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    optimisers: Distinct[Optimiser] = setting(
        "optimisers, on the same points from the same first weights; adam is without momentum, scalar-adagrad takes "
        "AdaGrad's conditioner of the mean sum of squares for all coordinates, and sign is RMSProp without memory and "
        "epsilon"
    )
    variant: Literal["official", "paper"] = setting(
        "official: RMSProp and Adam weight a new squared gradient by beta, and Adam takes out the bias of a decay "
        "beta, as in the published script; paper: by 1 - beta"
    )
    beta: float = setting("beta of RMSProp and Adam", gt=0.0, lt=1.0, default=0.9)
    epsilon: float = setting("epsilon, inside the root", gt=0.0, le=1.0)
    lr: Rate = setting("learning rate of all optimisers but gd, in the plain steps")
    gd_lr: Rate = setting("what gd takes in place of lr")
    points: int = setting("points of a set, half of either label", ge=2, multiple_of=2, default=100)
    runs: int = setting("first weights on each set of points", ge=1)
    plain_steps: int = setting("full-batch steps before the late phase", ge=1)
    scaled_steps: int = setting("steps of the late phase", ge=1)
    angle: float = setting("length of the first scaled step in units of |w|", gt=0.0, le=1.0, default=0.05)
    slowing: float = setting(
        "t_0 of the factor (1 + t / t_0)^-power of the later ones", unit="steps", gt=0.0, default=50
    )
    power: float = setting("power of that factor", ge=0.0, le=1.0, default=0.7)
    shown: Distinct[int] = setting("scaled steps after which runs are recorded; 0 and the last one are added")
    dtype: Dtype = setting("floating-point type", default="float64")

    @model_validator(mode="after")
    def the_records_are_of_steps_that_are_taken(self) -> Self:
        """Refuse records of steps that are not taken."""
        if any(not 0 <= step <= self.scaled_steps for step in self.shown):
            raise ValueError(f"shown: there are only {self.scaled_steps} scaled steps")
        return self


class Params(Shared):
    """What a recipe sets."""

    seeds: int = setting("independent sets of points", ge=1)


class Point(Shared):
    """What determines a cell."""


LOG = {
    "runs": (
        Column("seed", "int64", "", "seed of the points and of the first weights"),
        Column("optimiser", "string", "", "optimiser"),
        Column("trial", "int64", "", "number of the first weights"),
        Column("step", "int64", "steps", "scaled steps done; -1 before the first plain step"),
        Column("length", "float64", "degrees", "length of the next scaled step in units of |w|; NaN at step -1"),
        Column("weighting", "float64", "", "p of the compared max-margin problem min |h^(-p/2) w|^2, h of that moment"),
        Column("ratio", "float64", "", "min q / |h^(-p/2) w|^2 over the largest possible one with this sign of v"),
        Column(
            "surrogate_ratio", "float64", "", "the same with log(1 / sum_i exp(-q_i)), at most min q, in place of min q"
        ),
        Column("degrees", "float64", "degrees", "angle of w and the exact max-margin point with this sign of v"),
        Column("log_loss", "float64", "nats", "log of the mean exponential loss"),
        Column("norm", "float64", "", "norm of the weights"),
    )
}
SEED_BLOCK = 4


def cells(params: Params) -> list[Point]:
    """One cell: all optimisers run side by side."""
    return [point(Point, params)]
