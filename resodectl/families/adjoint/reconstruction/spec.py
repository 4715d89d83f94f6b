"""What may be asked of reconstruction: schemes, weights by their smoothness in depth, depths.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612), section 4: untrained networks x -> x + f(x, theta_n) / N.
"""

from typing import Literal, Self

from pydantic import model_validator

from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Dtype, Settings, setting

SEED_BLOCK = 8

SchemeName = Literal["euler", "heun"]
WeightKind = Literal["smooth", "tied", "brownian", "iid", "alternating"]
Activation = Literal["tanh", "gelu", "relu"]


class Params(Settings):
    schemes: tuple[SchemeName, ...] = setting("schemes of the forward pass", min_length=1)
    weights: tuple[WeightKind, ...] = setting("kinds of weights, by their smoothness in depth", min_length=1)
    depths: tuple[int, ...] = setting("depths N", unit="layers", min_length=1)
    seeds: int = setting("independent networks with their inputs and targets", ge=1)
    dim: int = setting("dimension of the state", ge=1, default=8)
    hidden: int = setting("width of the residual function", ge=1, default=16)
    batch: int = setting("inputs of a network", ge=1, default=32)
    activation: Activation = setting("activation of the residual function", default="tanh")
    residual_exponent: float = setting("the step is N to the power of minus this; 1 in the paper", default=1.0)
    dtype: Dtype = setting("floating-point type; float32 hides Heun's order", default="float64")

    @model_validator(mode="after")
    def depths_can_be_built(self) -> Self:
        if min(self.depths) < 2:
            raise ValueError(f"depths: a network needs at least 2 layers, not {min(self.depths)}")
        odd = [depth for depth in self.depths if depth & (depth - 1)]
        if odd and "brownian" in self.weights:
            raise ValueError(f"depths: Brownian weights are refined by halving and need powers of two, not {odd[0]}")
        return self


class Point(Settings):
    scheme: SchemeName
    weights: WeightKind
    depth: int
    dim: int
    hidden: int
    batch: int
    activation: Activation
    residual_exponent: float
    dtype: Dtype


LOG = {
    "errors": (
        Column("scheme", "string", "", "scheme of the forward pass"),
        Column("weights", "string", "", "kind of weights"),
        Column("depth", "int64", "layers", "depth N"),
        Column("seed", "int64", "", "seed of the weights, inputs and targets"),
        Column("reconstruction_error", "float64", "", "RMS(x_0 - found x_0) / RMS(found x_0)"),
        Column("gradient_error", "float64", "", "relative error of the adjoint's gradient, norm over all weights"),
        Column("layer_gradient_error", "float64", "", "largest absolute error of the gradient of one layer"),
        Column("distance", "float64", "", "largest |x_0 - found x_0| of an input"),
        Column("distance_bound", "float64", "", "(C/N) ((1 + L/N)^N - 1) for steps of 1/N; NaN for Heun"),
    ),
}


def cells(params: Params) -> list[Point]:
    rest = params.model_dump(exclude={"schemes", "weights", "depths", "seeds"})
    return [
        Point(scheme=scheme, weights=weights, depth=depth, **rest)
        for scheme in params.schemes
        for weights in params.weights
        for depth in params.depths
    ]
