"""The map of zero-variance flows on the line, on the square with walls and on the torus.

Cao & Vanden-Eijnden 2022 (arXiv 2206.09908), the appendix on flows as generators.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from resodectl.experiment.choices import Distinct, Dtype
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting

PlaneName = Literal["square", "torus", "walls"]
Steps = Annotated[int, Field(ge=3, le=10_000)]
MOST_NODES = 20_000  # of a path
CaseName = Literal["line", "square", "torus", "walls"]


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    scale: float = setting("standard deviation s of the target on the line", gt=0.0, lt=1.0, default=0.5)
    shift: float = setting("its mean w", ge=-10.0, le=10.0, default=1.0)
    amplitude: float = setting("a of rho1 = 1 - a cos(2 pi x) cos(2 pi y)", gt=0.0, lt=1.0, default=0.9)
    grid: int = setting("intervals of the grid of Poisson's equation in each direction", ge=8, le=4096, multiple_of=2)
    horizon: int = setting("time before which nothing is integrated", ge=2, le=1000)
    bins: int = setting(
        "bins of the shown histogram in each direction, three times as many as those of chi^2",
        ge=6,
        le=300,
        multiple_of=3,
    )
    side: int = setting("points of the map of tau in each direction", unit="points", ge=2, le=1000)
    lines: int = setting("flow lines", ge=1, le=1000, default=60)
    weights: int = setting("samples of a seed whose weights in infinite time are taken", unit="samples", ge=1)
    dtype: Dtype = setting("floating-point type", default="float64")


class Params(Shared):
    """What a recipe sets."""

    line_steps: Steps = setting("Runge-Kutta steps per unit of time on the line", unit="steps")
    plane_steps: Steps = setting("Runge-Kutta steps per unit of time in the plane", unit="steps")
    planes: Distinct[PlaneName] = setting("examples in two dimensions")
    line_points: int = setting("points of a seed on the line that are mapped", unit="points", ge=100)
    plane_points: int = setting("points of a seed in the plane that are mapped", unit="points", ge=100)
    seeds: int = setting("independent sets of points", ge=1)

    @model_validator(mode="after")
    def paths_fit_into_memory(self) -> Self:
        """Refuse paths of so many nodes that they do not fit into memory."""
        for name in ("line_steps", "plane_steps"):
            if (count := getattr(self, name) * self.horizon) > MOST_NODES:
                raise ValueError(f"{name}: paths of {count:,} steps are too long; take at most {MOST_NODES:,}")
        return self


class Point(Shared):
    """What determines a cell."""

    case: CaseName
    steps: Steps
    points: Annotated[int, Field(ge=100)]


_CASE = Column("case", "string", "", "line; square (cosine, walls); torus, walls (three bumps)")
_SEED = Column("seed", "int64", "", "seed of the points")
_ABLATION = Column(
    "ablation",
    "string",
    "",
    "none; no-jacobian (J = 1); double-divergence; short (integrals from -1 on)",
)
_PLACE = (
    Column("x", "float64", "", "first coordinate"),
    Column("y", "float64", "", "second coordinate; 0 on the line"),
)
LOG = {
    "fit": (
        _CASE,
        _SEED,
        _ABLATION,
        Column("chi_square", "float64", "", "chi^2 of the mapped points in bins against rho1, over bins - 1"),
        Column("unmapped", "float64", "", "share of the points whose integral of F^1 never reaches that of F^0"),
        Column("map_error", "float64", "", "on the line, the largest |T(x) - (s x + w)|; elsewhere NaN"),
    ),
    "histogram": (
        _CASE,
        *_PLACE,
        Column("count", "int64", "points", "mapped points of some seeds in the bin around the place"),
        Column("expected", "float64", "points", "their expectation under rho1"),
    ),
    "map": (
        _CASE,
        _ABLATION,
        *_PLACE,
        Column("tau", "float64", "", "time tau at which the map is reached"),
        Column("jacobian_error", "float64", "", "|rho1(T) |det grad T| / rho0 - 1|"),
    ),
    "weights": (
        _CASE,
        _SEED,
        _ABLATION,
        Column(
            "largest_error",
            "float64",
            "",
            "largest |A - 1| of a sample in infinite time, cut at the horizon",
        ),
    ),
    "lines": (
        _CASE,
        Column("line", "int64", "", "number of the flow line"),
        *_PLACE,
    ),
}
SEED_BLOCK = 8


def cells(params: Params) -> list[Point]:
    """One cell for the line, and one for each example in the plane."""
    line = point(Point, params, case="line", steps=params.line_steps, points=params.line_points)
    return [
        line,
        *(
            point(Point, params, case=name, steps=params.plane_steps, points=params.plane_points)
            for name in params.planes
        ),
    ]
