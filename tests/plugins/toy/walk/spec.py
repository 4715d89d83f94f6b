"""Random walks by length, with a drift."""

from resodectl.experiment.choices import Distinct, Dtype
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    drift: float = setting("mean of a step", default=0.0)
    fail_at: int = setting("the length at which the simulation raises an error, or 0", default=0)
    die_at: int = setting("the length at which the process dies, or 0", default=0)
    pause: float = setting("seconds to wait in each cell", default=0.0)
    dtype: Dtype = setting("floating-point type", default="float64")


class Params(Shared):
    """What a recipe sets."""

    lengths: Distinct[int] = setting("lengths of the walk", unit="steps")
    seeds: int = setting("independent walks", ge=1)


class Point(Shared):
    """What determines a cell."""

    length: int


LOG = {
    "ends": (
        Column("length", "int64", "steps", "length of the walk"),
        Column("seed", "int64", "", "seed"),
        Column("end", "float64", "", "where the walk ends"),
    ),
    "paths": (
        Column("seed", "int64", "", "seed"),
        Column("half", "string", "", "which half of the walk"),
        Column("place", "float64", "", "where the walk is at the end of that half"),
    ),
}
SEED_BLOCK = 2


def cells(params: Params) -> list[Point]:
    """One cell for each length."""
    return [point(Point, params, length=length) for length in params.lengths]
