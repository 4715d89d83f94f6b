"""Paths of fractional Brownian motion and their moments by Hurst index.

Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929), Figure 6.
"""

from typing import Literal, Self

from pydantic import model_validator

from resodectl.experiment.choices import Distinct, Dtype
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting

Ablation = Literal["none", "zero_frequency_at_nyquist", "shuffled"]


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    steps: int = setting("steps N of a path, from 0 to time 1", ge=2)
    paths: int = setting("paths of a seed: moments are averages over them; the first path is logged whole", ge=1)
    ablation: Ablation = setting(
        "what is wrong on purpose, or none: zero_frequency_at_nyquist gives the Nyquist frequency the eigenvalue of "
        "frequency 0, as the official code does; shuffled deals the increments of each step to the paths in random "
        "order",
        default="none",
    )
    dtype: Dtype = setting("floating-point type", default="float64")


class Params(Shared):
    """What a recipe sets."""

    hursts: Distinct[float] = setting("Hurst indices H, between 0 and 1")
    seeds: int = setting("independent repetitions, the units of the intervals", ge=1)

    @model_validator(mode="after")
    def paths_exist(self) -> Self:
        """Refuse Hurst indices for which there is no fractional Brownian motion."""
        for hurst in self.hursts:
            if not 0 < hurst < 1:
                raise ValueError(f"hursts: fractional Brownian motion has an index between 0 and 1, not {hurst:g}")
        return self


class Point(Shared):
    """What determines a cell."""

    hurst: float


LOG = {
    "paths": (
        Column("hurst", "float64", "", "Hurst index H"),
        Column("seed", "int64", "", "seed of the path, which is the first one of the seed"),
        Column("step", "int64", "steps", "steps done, k of N"),
        Column("position", "float64", "", "B(k/N) = N^-H times the sum of the first k increments"),
    ),
    "moments": (
        Column("hurst", "float64", "", "Hurst index H"),
        Column("seed", "int64", "", "seed of the paths; averages are over all of them"),
        Column("steps", "int64", "steps", "steps N of a path"),
        Column("variance", "float64", "", "mean square of the increments, whose mean is 0"),
        Column("lag_covariance", "float64", "", "mean product of neighbouring increments"),
        Column("end_square", "float64", "", "mean square of B(1)"),
    ),
    "displacements": (
        Column("hurst", "float64", "", "Hurst index H"),
        Column("seed", "int64", "", "seed of the paths; averages are over all of them"),
        Column("lag", "int64", "steps", "number of increments in a row, a power of two"),
        Column("mean_square", "float64", "", "mean square of the sum of `lag` increments in a row"),
    ),
}
SEED_BLOCK = 10


def cells(params: Params) -> list[Point]:
    """One cell for each Hurst index."""
    return [point(Point, params, hurst=hurst) for hurst in params.hursts]
