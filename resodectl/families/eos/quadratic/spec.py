"""Normalised descent on x^T A x / 2 from given and drawn starts.

Arora, Li & Panigrahi 2022 (arXiv 2205.09745), Figure 2.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from resodectl.experiment.choices import Coordinate, Dtype
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting

Eigenvalue = Annotated[float, Field(gt=0.0, le=100.0)]
Start = Literal["given", "drawn"]


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    start: tuple[Coordinate, ...] = setting("first iterate xt = A x / lr, first eigenvector first", min_length=2)
    eigenvalues: tuple[Eigenvalue, ...] = setting("eigenvalues of A, falling, for the given start", min_length=2)
    spread: float = setting("standard deviation of each coordinate of a drawn start", gt=0.0, le=100.0, default=2.0)
    along_first: float = setting(
        "what the first coordinate of every start is multiplied by; 0 breaks the hypothesis that it does not vanish",
        ge=0.0,
        le=10.0,
        default=1.0,
    )
    radius: float = setting("radius of the invariant set I_j in units of lambda_j; 1 in the paper", gt=0.0, default=1.0)
    shown: int = setting("iterates that are kept one by one", ge=2, default=11)
    steps: int = setting("steps after which the limit is measured", ge=2)
    dtype: Dtype = setting("floating-point type", default="float64")


class Params(Shared):
    """What a recipe sets."""

    drawn_eigenvalues: tuple[Eigenvalue, ...] = setting(
        "eigenvalues of A, falling, for starts drawn at random", min_length=2
    )
    seeds: int = setting("drawn starts", ge=1)

    @model_validator(mode="after")
    def eigenvalues_fall(self) -> Self:
        """Refuse eigenvalues that do not fall, and sizes that do not fit together."""
        for name in ("eigenvalues", "drawn_eigenvalues"):
            values = getattr(self, name)
            if list(values) != sorted(values, reverse=True) or values[0] == values[1]:
                raise ValueError(f"{name}: they must fall, and the largest be simple")
        if len(self.start) != len(self.eigenvalues):
            raise ValueError(f"start: {len(self.start)} coordinates for {len(self.eigenvalues)} eigenvalues")
        if self.shown > self.steps:
            raise ValueError(f"shown: there are only {self.steps} steps")
        return self


class Point(Shared):
    """What determines a cell: its `eigenvalues` are those of its own kind of start."""

    kind: Start


_SHARED = (
    Column("kind", "string", "", "given or drawn start"),
    Column("seed", "int64", "", "seed of a drawn start; the given start is the same for all seeds"),
)
LOG = {
    "iterates": (
        *_SHARED,
        Column("step", "int64", "steps", "steps done"),
        Column("norm", "float64", "", "|xt|"),
        Column("first", "float64", "", "component along the first eigenvector"),
        Column("second", "float64", "", "component along the second eigenvector"),
        Column("half_sharpness", "float64", "", "lambda_1 / 2"),
    ),
    "limits": (
        *_SHARED,
        Column("pair_error", "float64", "", "| |xt| + |xt'| - lambda_1 | of the last two iterates"),
        Column("misalignment", "float64", "", "1 - |cos| of the last iterate and the first eigenvector"),
        Column(
            "escape",
            "float64",
            "",
            "largest |P_j..D xt| / (radius lambda_j) over all j and all times after it was at most 1",
        ),
    ),
    "growth": (
        *_SHARED,
        Column("below", "bool", "", "whether the iterates with |xt| <= lambda_1 / 2 are counted, or the others"),
        Column(
            "next", "float64", "", "least factor by which |<v1, xt>| grows from a counted iterate to the next iterate"
        ),
        Column(
            "restricted",
            "float64",
            "",
            "least factor by which |<v1, xt>| grows from a counted iterate to the next counted one",
        ),
    ),
}
SEED_BLOCK = 64


def cells(params: Params) -> list[Point]:
    """One cell for each kind of start."""
    return [
        point(Point, params, kind="given"),
        point(Point, params, kind="drawn", eigenvalues=params.drawn_eigenvalues),
    ]
