"""What may be asked of paths of fractional Brownian motion: Hurst indices, numbers of steps and of paths.

Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929), Figure 6.
"""

from typing import Literal, Self

from pydantic import model_validator

from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Dtype, Settings, setting

SEED_BLOCK = 10

Ablation = Literal["none", "zero_frequency_at_nyquist", "shuffled"]


class Params(Settings):
    hursts: tuple[float, ...] = setting("Hurst indices H, between 0 and 1", min_length=1)
    steps: int = setting("steps N of a path, from 0 to time 1", ge=2)
    paths: int = setting("paths of a seed, over which its moments are taken; its first one is kept whole", ge=1)
    seeds: int = setting("independent repetitions, the units of the intervals", ge=1)
    ablation: Ablation = setting(
        "a deliberate error: zero_frequency_at_nyquist gives the Nyquist frequency the eigenvalue of frequency 0, as "
        "the official code does; shuffled deals the increments of each step to the paths in random order",
        default="none",
    )
    dtype: Dtype = setting("floating-point type", default="float64")

    @model_validator(mode="after")
    def paths_exist(self) -> Self:
        for hurst in self.hursts:
            if not 0 < hurst < 1:
                raise ValueError(f"hursts: fractional Brownian motion has an index between 0 and 1, not {hurst:g}")
        return self


class Point(Settings):
    hurst: float
    steps: int
    paths: int
    ablation: Ablation
    dtype: Dtype


LOG = {
    "paths": (
        Column("hurst", "float64", "", "Hurst index H"),
        Column("seed", "int64", "", "seed; its first path"),
        Column("step", "int64", "steps", "step k of N"),
        Column("position", "float64", "", "B(k/N) = N^-H times the sum of the first k increments"),
    ),
    "moments": (
        Column("hurst", "float64", "", "Hurst index H"),
        Column("seed", "int64", "", "seed; averages over all its paths"),
        Column("steps", "int64", "steps", "steps N of a path"),
        Column("variance", "float64", "", "mean square of the increments, whose mean is 0"),
        Column("lag_covariance", "float64", "", "mean product of neighbouring increments"),
        Column("end_square", "float64", "", "mean square of B(1)"),
    ),
    "displacements": (
        Column("hurst", "float64", "", "Hurst index H"),
        Column("seed", "int64", "", "seed; averages over all its paths"),
        Column("lag", "int64", "steps", "a power of two"),
        Column("mean_square", "float64", "", "mean square of the sum of so many increments in a row"),
    ),
}


def cells(params: Params) -> list[Point]:
    rest = params.model_dump(exclude={"hursts", "seeds"})
    return [Point(hurst=hurst, **rest) for hurst in params.hursts]
