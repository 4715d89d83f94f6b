"""What may be asked of the distance between a residual network and a neural ODE: the field, the depths.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612), section 3: x_{n+1} = x_n + f(x_n, theta_n)/N against x' = phi(x, s) with
phi(., n/N) = f(., theta_n).
"""

from typing import Literal, Self

from pydantic import model_validator

from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Dtype, Settings, setting

SEED_BLOCK = 8

FieldName = Literal["smooth", "alternating", "ramp", "affine", "bump"]


class Params(Settings):
    fields: tuple[FieldName, ...] = setting(
        "phi: tanh(W(s) x) with weights linear between layers, that are smooth or alternate from layer to layer; "
        "ramp: s; affine: L x + g(s) with a solution quadratic in s; bump: 1 - cos(2 pi N s)",
        min_length=1,
    )
    depths: tuple[int, ...] = setting("depths N", unit="layers", min_length=1)
    seeds: int = setting("independent networks with their inputs", ge=1)
    dim: int = setting("dimension of the state of tanh(W x)", ge=1, default=4)
    batch: int = setting("inputs of such a network", ge=1, default=32)
    gain: float = setting("entries of W(s) are a field of order 1 times this / sqrt(dim)", gt=0, default=1.5)
    residual_exponent: float = setting("residuals are scaled by N to the power of minus this", default=1.0)
    dtype: Dtype = setting("floating-point type of the states", default="float64")

    @model_validator(mode="after")
    def depths_can_be_built(self) -> Self:
        if min(self.depths) < 2:
            raise ValueError(f"depths: a network needs at least 2 layers, not {min(self.depths)}")
        return self


class Point(Settings):
    field: FieldName
    depth: int
    dim: int
    batch: int
    gain: float
    residual_exponent: float
    dtype: Dtype


LOG = {
    "distances": (
        Column("field", "string", "", "the field phi"),
        Column("depth", "int64", "layers", "depth N"),
        Column("seed", "int64", "", "seed of the weights and inputs"),
        Column("distance", "float64", "", "largest |x_n - x(n/N)| over layers and inputs"),
        Column("bound", "float64", "", "C (e^L - 1) / (2 N L) with C = sup |x''(s)| and L the Lipschitz constant"),
    ),
}


def cells(params: Params) -> list[Point]:
    rest = params.model_dump(exclude={"fields", "depths", "seeds"})
    return [Point(field=field, depth=depth, **rest) for field in params.fields for depth in params.depths]
