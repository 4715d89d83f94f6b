"""What may be asked of a random walk: its lengths and its drift."""

from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Dtype, Settings, setting

SEED_BLOCK = 2


class Params(Settings):
    lengths: tuple[int, ...] = setting("lengths of the walk", unit="steps", min_length=1)
    drift: float = setting("mean of a step", default=0.0)
    seeds: int = setting("independent walks", ge=1)
    fail_at: int = setting("the length at which the simulation raises an error, or 0", default=0)
    die_at: int = setting("the length at which the process dies, or 0", default=0)
    pause: float = setting("seconds to wait in each cell", default=0.0)
    dtype: Dtype = setting("floating-point type", default="float64")


class Point(Settings):
    length: int
    drift: float
    fail_at: int
    die_at: int
    pause: float
    dtype: Dtype


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


def cells(params: Params) -> list[Point]:
    rest = params.model_dump(exclude={"lengths", "seeds"})
    return [Point(length=length, **rest) for length in params.lengths]
