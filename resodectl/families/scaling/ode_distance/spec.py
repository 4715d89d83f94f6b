"""Distance between a residual network and a neural ODE by field and depth.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612), section 3: x_{n+1} = x_n + f(x_n, theta_n)/N against x' = phi(x, s) with
phi(., n/N) = f(., theta_n).
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from resodectl.experiment.choices import Distinct, Dtype
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting

Constant = Annotated[float, Field(ge=0.0, le=100.0)]
FieldName = Literal["smooth", "alternating", "ramp", "affine", "bump"]


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    dim: int = setting("dimension of the state of tanh(W x)", ge=1, default=4)
    batch: int = setting("inputs of a network tanh(W x)", ge=1, default=32)
    gain: float = setting("entries of W(s) are a field of order 1 times gain / sqrt(dim)", gt=0, default=1.5)
    lipschitz: tuple[Constant, Constant] = setting(
        "L of the affine field, uniform between the two; equal ones fix it", default=(0.5, 2.0)
    )
    curvature: tuple[Constant, Constant] = setting(
        "C of the affine field, uniform between the two; equal ones fix it", default=(0.5, 2.0)
    )
    residual_exponent: float = setting(
        "residual layers are multiplied by N**-residual_exponent; 1 in the paper", default=1.0
    )
    dtype: Dtype = setting("floating-point type of the states", default="float64")


class Params(Shared):
    """What a recipe sets."""

    fields: Distinct[FieldName] = setting(
        "phi: smooth and alternating are tanh(W(s) x), with W linear between layers, and smooth or alternating from "
        "layer to layer; ramp: s; affine: L x + g(s) with a solution of constant x'' = C; bump: 1 - cos(2 pi N s)",
    )
    depths: Distinct[int] = setting("depths N", unit="layers")
    seeds: int = setting("independent networks with their inputs", ge=1)

    @model_validator(mode="after")
    def depths_can_be_built(self) -> Self:
        """Refuse networks of one layer."""
        if min(self.depths) < 2:
            raise ValueError(f"depths: a network needs at least 2 layers, not {min(self.depths)}")
        for name, (low, high) in {"lipschitz": self.lipschitz, "curvature": self.curvature}.items():
            if low > high:
                raise ValueError(f"{name}: the lower of the two comes first, not {low:g} before {high:g}")
        return self


class Point(Shared):
    """What determines a cell."""

    field: FieldName
    depth: int


LOG = {
    "distances": (
        Column("field", "string", "", "the field phi"),
        Column("depth", "int64", "layers", "depth N"),
        Column("seed", "int64", "", "seed of the weights and inputs"),
        Column("distance", "float64", "", "largest |x_n - x(n/N)| over layers and inputs"),
        Column("leading_gap", "float64", "", "largest |x_n - x(n/N) - e_n| over the distance, e_n the leading term"),
        Column("bound", "float64", "", "C (e^L - 1) / (2 N L) with C = sup |x''(s)| and L the Lipschitz constant"),
    ),
}
SEED_BLOCK = 8


def cells(params: Params) -> list[Point]:
    """One cell for each field and depth."""
    return [point(Point, params, field=field, depth=depth) for field in params.fields for depth in params.depths]
