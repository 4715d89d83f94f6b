"""Optimisers on one leaky unit with exponential loss, from many first weights on each set of points.

Wang, Meng, Chen & Liu 2021 (arXiv 2012.06244). The conditioner of an optimiser is h in w <- w - lr h grad L; that of
RMSProp or Adam becomes equal in all coordinates as gradients vanish, that of AdaGrad does not.
"""

from typing import Literal, Self

from pydantic import model_validator

from resodectl.experiment.choices import Distinct, Dtype, Rate
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting

Optimiser = Literal["gd", "adagrad", "scalar-adagrad", "rmsprop", "adam", "adam-momentum"]


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    optimisers: Distinct[Optimiser] = setting(
        "optimisers, on the same points from the same first weights; adam is without momentum, and scalar-adagrad "
        "takes AdaGrad's conditioner of the mean sum of squares for all coordinates"
    )
    variant: Literal["official", "paper"] = setting(
        "official: RMSProp and Adam weight a new squared gradient by beta, and Adam takes out the bias of a decay "
        "beta, as in the published script; paper: by 1 - beta"
    )
    beta: float = setting("beta of RMSProp and Adam", gt=0.0, lt=1.0, default=0.9)
    epsilon: float = setting("epsilon, inside the root", ge=0.0, le=1.0)
    lr: Rate = setting("learning rate of all optimisers but gd")
    gd_lr: Rate = setting("what gd takes in place of lr")
    points: int = setting("points of a set, half of either label", ge=2, multiple_of=2, default=100)
    runs: int = setting("runs that are kept of each set: those whose margins are positive in the end", ge=1)
    drawn: int = setting("first weights that are drawn at most to find them", ge=1)
    steps: int = setting("full-batch steps", ge=1)
    shown: Distinct[int] = setting("steps after which every run is recorded; 0 and the last one are added")
    every: int = setting("steps between the points of the curves of mean accuracy", ge=1)
    level: float = setting("log of the loss at which margins are compared too", le=0.0)
    dtype: Dtype = setting("floating-point type", default="float64")

    @model_validator(mode="after")
    def the_numbers_fit(self) -> Self:
        """Refuse steps that are not taken and runs that are not drawn."""
        if any(not 0 <= step <= self.steps for step in self.shown):
            raise ValueError(f"shown: there are only {self.steps} steps")
        if self.runs > self.drawn:
            raise ValueError(f"runs: only {self.drawn} first weights are drawn")
        return self


class Params(Shared):
    """What a recipe sets."""

    seeds: int = setting("independent sets of points", ge=1)


class Point(Shared):
    """What determines a cell."""


_SEED = Column("seed", "int64", "", "seed of the points and of the first weights")
_RUN = (
    _SEED,
    Column("optimiser", "string", "", "optimiser"),
    Column("trial", "int64", "", "number of the first weights, those of rejected runs included"),
)
LOG = {
    "runs": (
        *_RUN,
        Column("at", "string", "", "whether the run is looked at after given steps (steps) or at a given loss (loss)"),
        Column("step", "int64", "steps", "steps done; -1 if the loss is not reached"),
        Column("log_loss", "float64", "nats", "log of the mean exponential loss"),
        Column("margin", "float64", "", "normalised margin min q / |w|^2; NaN if the loss is not reached"),
        Column("best", "float64", "", "largest normalised margin of all networks with v of the same sign"),
    ),
    "certificates": (
        *_RUN,
        Column("optimum_sign", "string", "", "the sign of v in the networks compared with: same or opposite"),
        Column("ratio", "float64", "", "normalised margin after the last step over the largest one of such networks"),
    ),
    "conditioners": (
        *_RUN,
        Column("step", "int64", "steps", "steps done"),
        Column("h_1", "float64", "", "conditioner h of w_1"),
        Column("h_2", "float64", "", "conditioner h of w_2"),
        Column("h_3", "float64", "", "conditioner h of v"),
        Column("cosine", "float64", "", "cosine of h^(-1/2) and (1, 1, 1)"),
        Column("anisotropy", "float64", "", "largest |h epsilon^(1/2) - 1| of the coordinates"),
        Column("moved", "float64", "lr", "median |change of w in the last step| / lr of the coordinates"),
    ),
    "curves": (
        _SEED,
        Column("optimiser", "string", "", "optimiser"),
        Column("step", "int64", "steps", "steps done"),
        Column("accuracy", "float64", "", "share of right answers on the points, mean over the kept runs"),
    ),
    "points": (
        _SEED,
        Column("x_1", "float64", "", "first coordinate of a point"),
        Column("x_2", "float64", "", "second coordinate"),
        Column("label", "float64", "", "1 or -1"),
    ),
    "counts": (
        _SEED,
        Column("drawn", "int64", "", "first weights that were looked at to find the kept ones"),
        Column("kept", "int64", "", "runs that are kept"),
    ),
}
SEED_BLOCK = 4


def cells(params: Params) -> list[Point]:
    """One cell: optimisers share points and first weights, and a run is kept if all of their margins are positive."""
    return [point(Point, params)]
