"""Distance of residual networks from their limits by exponents, activation and noise in the weights.

Cohen, Cont, Rossier & Xu 2021 (arXiv 2105.12245): h_{k+1} = h_k + L^-alpha sigma(A_k h_k + b_k) with weights
A_k = L^-beta A(k/L) + increments of a Brownian path.
"""

from typing import Literal, Self

from pydantic import model_validator

from resodectl.experiment.choices import Distinct, Dtype
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting

Limit = Literal["neural-ode", "linear-ode", "ito-sde"]
Activation = Literal["tanh", "exp", "softplus", "relu"]


class Case(Settings):
    """One scaling of the network, and the limit that it is compared with."""

    limit: Limit = setting("the limit that the network is compared with")
    alpha: float = setting("exponent of the residual scale L^-alpha")
    beta: float = setting("exponent of the scale L^-beta of smooth weights")
    activation: Activation = setting(
        "sigma: tanh, exp(z) - 1, softplus as 2 log((1 + exp(z)) / 2), or ReLU", default="tanh"
    )
    noise: float = setting("standard deviation of a weight's Brownian path at time 1; 0 for none", ge=0, default=0.0)
    bias_noise: float | None = setting("the same of the biases' paths alone; null: as `noise`", ge=0, default=None)
    gain: float = setting("entries of A(s) and b(s) are of order gain / sqrt(dim)", ge=0, default=1.5)

    @property
    def noises(self) -> tuple[float, float]:
        """The standard deviations at time 1 of the Brownian paths of b and of A."""
        return (self.noise if self.bias_noise is None else self.bias_noise), self.noise

    @model_validator(mode="after")
    def limit_has_the_noise(self) -> Self:
        """Refuse an SDE as the limit of a network without noise."""
        if self.limit == "ito-sde" and not any(self.noises):
            raise ValueError("noise: a network without noise has no Ito SDE as its limit")
        return self


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    depths: Distinct[int] = setting("depths L of networks without noise", unit="layers")
    reference_steps: int = setting("steps of Euler and Maruyama's scheme for the SDE on the same paths", ge=1)
    paths: int = setting("Brownian paths of a seed", ge=1)
    dim: int = setting("dimension of the state", ge=1, default=4)
    dtype: Dtype = setting("floating-point type of states and weights", default="float64")


class Params(Shared):
    """What a recipe sets."""

    cases: tuple[Case, ...] = setting("scalings and limits", min_length=1)
    noisy_depths: Distinct[int] = setting("depths L of networks with noise", unit="layers")
    seeds: int = setting("independent smooth weights, each with its Brownian paths", ge=1)

    @model_validator(mode="after")
    def cases_differ(self) -> Self:
        """Refuse what the log cannot tell apart."""
        known = [(case.noises, case.model_copy(update={"bias_noise": None})) for case in self.cases]
        twice = [case for place, case in enumerate(self.cases) if known[place] in known[:place]]
        if twice:
            raise ValueError(f"cases: {twice[0]} is listed twice")
        return self

    @model_validator(mode="after")
    def grids_are_nested(self) -> Self:
        """Refuse depths without common times, and a reference that has no step at each layer."""
        for name in ("depths", "noisy_depths"):
            own = getattr(self, name)
            if min(own) < 1:
                raise ValueError(f"{name}: a network needs at least 1 layer, not {min(own)}")
            if any(depth % min(own) for depth in own):
                raise ValueError(f"{name}: all must be multiples of the smallest, to be compared at common times")
        odd = [depth for depth in self.noisy_depths if self.reference_steps % depth]
        if odd:
            raise ValueError(f"reference_steps: {self.reference_steps} is no multiple of the depth {odd[0]}")
        return self


class Point(Shared, Case):
    """What determines a cell: its `depths` are those of its case; without noise there is one path."""


LOG = {
    "errors": (
        Column("limit", "string", "", "the limit that the network is compared with"),
        Column("alpha", "float64", "", "exponent of the residual scale L^-alpha"),
        Column("beta", "float64", "", "exponent of the scale L^-beta of smooth weights"),
        Column("activation", "string", "", "sigma"),
        Column("noise", "float64", "", "standard deviation of a weight's Brownian path at time 1"),
        Column("bias_noise", "float64", "", "standard deviation of a bias's Brownian path at time 1"),
        Column("gain", "float64", "", "entries of A(s) and b(s) are of order gain / sqrt(dim)"),
        Column("drift", "float64", "", "factor of sigma''(0) Q in the limit's drift: 1/2 is right; 0 for an ODE"),
        Column("depth", "int64", "layers", "depth L"),
        Column("seed", "int64", "", "seed of the smooth weights, the paths and the loss"),
        Column("state_error", "float64", "", "sup over t of the RMS over paths of |h - H|"),
        Column("jacobian_error", "float64", "", "sup over t of the RMS over paths of |dh/dx - J|_F"),
        Column("gradient_error", "float64", "", "sup over t of the RMS over paths of |dl/dh_t - dl/dH_t|"),
        Column("diverged", "bool", "", "whether a path of the network or of the limit is not finite"),
    ),
}
SEED_BLOCK = 8


def cells(params: Params) -> list[Point]:
    """One cell for each case."""
    of_noise = {"depths": params.noisy_depths, "paths": params.paths}
    without = {"depths": params.depths, "paths": 1}
    return [point(Point, params, **dict(case), **(of_noise if any(case.noises) else without)) for case in params.cases]
