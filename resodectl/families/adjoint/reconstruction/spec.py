"""Errors of the memory-free adjoint by scheme, weights and depth.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612), section 4. The networks are untrained: x -> x + f(x, theta_n) / N. The
adjoint reconstructs their states from the output.
"""

from typing import Literal, Self

from pydantic import model_validator

from resodectl.experiment.choices import Distinct, Dtype, SchemeName, Smoothness
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting

WeightKind = Literal[Smoothness, "brownian"]
Activation = Literal["tanh", "gelu", "relu", "linear"]


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    dim: int = setting("dimension of the state", ge=1, default=8)
    hidden: int = setting("width of the residual function", ge=1, default=16)
    batch: int = setting("inputs of a network", ge=1, default=32)
    activation: Activation = setting("activation of the residual function V act(W x + b)", default="tanh")
    residual_exponent: float = setting(
        "residual layers are multiplied by N**-residual_exponent; 1 in the paper", default=1.0
    )
    dtype: Dtype = setting("floating-point type; float32 hides Heun's order", default="float64")


class Params(Shared):
    """What a recipe sets."""

    schemes: Distinct[SchemeName] = setting("schemes of the forward pass")
    weights: Distinct[WeightKind] = setting("kinds of weights, by their smoothness in depth")
    depths: Distinct[int] = setting("depths N", unit="layers")
    seeds: int = setting("independent networks with their inputs and targets", ge=1)

    @model_validator(mode="after")
    def depths_can_be_built(self) -> Self:
        """Refuse networks of one layer, and depths for which a Brownian path cannot be refined."""
        if min(self.depths) < 2:
            raise ValueError(f"depths: a network needs at least 2 layers, not {min(self.depths)}")
        odd = [depth for depth in self.depths if depth & (depth - 1)]
        if odd and "brownian" in self.weights:
            raise ValueError(f"depths: Brownian weights are refined by halving and need powers of two, not {odd[0]}")
        return self


class Point(Shared):
    """What determines a cell."""

    scheme: SchemeName
    weights: WeightKind
    depth: int


LOG = {
    "errors": (
        Column("scheme", "string", "", "scheme of the forward pass"),
        Column("weights", "string", "", "kind of weights"),
        Column("depth", "int64", "layers", "depth N"),
        Column("seed", "int64", "", "seed of the weights, inputs and targets"),
        Column("reconstruction_error", "float64", "", "RMS(x_0 - y_0) / RMS(y_0) with y_0 the reconstructed input"),
        Column("gradient_error", "float64", "", "relative error of the adjoint's gradient, norm over all weights"),
        Column("layer_gradient_error", "float64", "", "norm of the error of a layer's gradient, largest of all layers"),
        Column(
            "leading_gap", "float64", "", "|y_0 - x_0 - e| / |y_0 - x_0|, e being the leading term of the difference"
        ),
        Column("distance", "float64", "", "largest |x_0 - y_0| over inputs, y_0 the reconstructed input"),
        Column("distance_bound", "float64", "", "(C/N) ((1 + L/N)^N - 1) for steps of 1/N; NaN for Heun"),
    ),
}
SEED_BLOCK = 8


def cells(params: Params) -> list[Point]:
    """One cell for each scheme, kind of weights and depth."""
    return [
        point(Point, params, scheme=scheme, weights=weights, depth=depth)
        for scheme in params.schemes
        for weights in params.weights
        for depth in params.depths
    ]
