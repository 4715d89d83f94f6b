"""Random walks by depth L and exponent beta: x -> x + L**-beta xi, with standard normal xi, L times from 0.

Their law is known: the mean square of the end is L**(1 - 2 beta).
"""

from resodectl.experiment.choices import Distinct, Dtype
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    walks: int = setting("walks of a seed, drawn at once", ge=2, default=256)
    dtype: Dtype = setting("floating-point type", default="float64")


class Params(Shared):
    """What a recipe sets."""

    exponents: Distinct[float] = setting("exponents beta of the step size L**-beta", min_length=1)
    depths: Distinct[int] = setting("numbers L of steps", unit="steps", min_length=1)
    seeds: int = setting("independent repetitions", ge=1)


class Point(Shared):
    """What determines a cell."""

    exponent: float
    depth: int


LOG = {
    "ends": (
        Column("exponent", "float64", "", "exponent beta of the step size"),
        Column("depth", "int64", "steps", "number L of steps"),
        Column("seed", "int64", "", "seed"),
        Column("mean_square", "float64", "", "mean square of the end over the walks of a seed"),
    )
}
SEED_BLOCK = 4


def cells(params: Params) -> list[Point]:
    """One cell for each exponent and depth."""
    return [
        point(Point, params, exponent=exponent, depth=depth) for exponent in params.exponents for depth in params.depths
    ]
