"""Norms in untrained networks h -> h + L^-beta f(h) by the law of their weights, exponent beta and depth L.

Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929), the figures at initialisation.
"""

from typing import Literal, Self

from pydantic import model_validator

from resodectl.experiment.choices import Distinct, Dtype, WeightLaw
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting

Law = Literal[WeightLaw, "rbf_increments", "rbf_and_gaussian", "fbm"]
Architecture = Literal["res-1", "res-2", "res-3"]
Activation = Literal["relu", "leaky_relu", "tanh", "linear"]
Method = Literal["direct", "joint", "marginal"]


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    weights: Law = setting(
        "law of each entry along the layers: independent, smooth, smooth plus independent, or fractional noise"
    )
    exponents: Distinct[float] = setting("exponents beta of the residual scale L^-beta")
    repetitions: int = setting("networks of a seed at each depth", ge=1)
    method: Method = setting(
        "direct: with all matrices; joint, marginal: without them, sampled from the exact law of Gaussian res-3 ReLU "
        "networks, hidden state and gradient of one network (joint) or of two (marginal)",
        default="direct",
    )
    dim: int = setting("width d of the hidden states", ge=2, default=40)
    inputs: int = setting("dimension of the input, which is uniform on [0, 1]", ge=1, default=64)
    architecture: Architecture = setting("f(h): V act(h), V act(h + b) or V act(Theta h)", default="res-3")
    activation: Activation = setting("activation of the residual function", default="relu")
    hurst: float = setting("Hurst index of fbm weights", gt=0, lt=1, default=0.5)
    length_scale: float = setting(
        "length scale l of smooth weights, of kernel exp(-(s - t)^2 / (2 l^2)) at the depths s, t in [0, 1]",
        ge=0.02,
        default=0.1,
    )
    rough_share: float = setting(
        "share of the variance of rbf_and_gaussian weights that is independent from layer to layer",
        ge=0,
        le=1,
        default=0.1,
    )
    dtype: Dtype = setting("floating-point type; float32 overflows where networks explode", default="float64")


class Params(Shared):
    """What a recipe sets."""

    depths: Distinct[int] = setting("depths L", unit="layers")
    seeds: int = setting("independent repetitions of the whole figure, the units of the intervals", ge=1)

    @model_validator(mode="after")
    def networks_can_be_built(self) -> Self:
        """Refuse networks without layers."""
        if min(self.depths) < 1:
            raise ValueError(f"depths: a network needs at least 1 layer, not {min(self.depths)}")
        return self

    @model_validator(mode="after")
    def the_method_knows_the_law(self) -> Self:
        """Refuse to sample norms whose law is not known."""
        network = (self.weights, self.architecture, self.activation, self.dtype)
        if self.method != "direct" and network != ("gaussian", "res-3", "relu", "float64"):
            raise ValueError(
                f"method: '{self.method}' knows the law of gaussian res-3 relu networks in float64 only, not of "
                f"{' '.join(network)}; use 'direct'"
            )
        return self


class Point(Shared):
    """What determines a cell."""

    depth: int


LOG = {
    "norms": (
        Column("weights", "string", "", "law of the weights"),
        Column("dim", "int64", "", "width d"),
        Column("depth", "int64", "layers", "depth L"),
        Column("exponent", "float64", "", "exponent beta of the residual scale L^-beta"),
        Column("seed", "int64", "", "seed of the networks and inputs"),
        Column("repetition", "int64", "", "number of the network of this seed, from 0"),
        Column("output_change", "float64", "", "|h_L - h_0| / |h_0|; infinite or NaN after an overflow"),
        Column("output_stretch", "float64", "", "|h_L| / |h_0|"),
        Column("gradient_change", "float64", "", "|p_0 - p_L| / |p_L|, p_k the gradient with respect to h_k"),
        Column("gradient_stretch", "float64", "", "|p_0| / |p_L|"),
    ),
}
SEED_BLOCK = 10


def cells(params: Params) -> list[Point]:
    """One cell for each depth."""
    return [point(Point, params, depth=depth) for depth in params.depths]
