"""What may be asked of the limits: exponents, activation, noise in the weights, and which limit to compare with.

Cohen, Cont, Rossier & Xu 2021 (arXiv 2105.12245): h_{k+1} = h_k + L^-alpha sigma(A_k h_k + b_k) with weights
A_k = L^-beta A(k/L) + increments of a Brownian path.
"""

from typing import Literal, Self

from pydantic import model_validator

from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Dtype, Settings, setting

SEED_BLOCK = 8

Limit = Literal["neural-ode", "linear-ode", "ito-sde"]
Activation = Literal["tanh", "exp", "relu"]


class Case(Settings):
    """One scaling of the network and the limit that it is held against."""

    limit: Limit = setting("the limit to compare with")
    alpha: float = setting("residuals are scaled by L to the power of minus this")
    beta: float = setting("smooth weights are scaled by L to the power of minus this")
    activation: Activation = setting("sigma: tanh, exp(z) - 1 or ReLU", default="tanh")
    noise: float = setting("standard deviation of a weight's Brownian path at time 1; 0 for none", ge=0, default=0.0)
    gain: float = setting("entries of A(s) and b(s) are of order this / sqrt(dim)", ge=0, default=1.5)

    @model_validator(mode="after")
    def limit_has_the_noise(self) -> Self:
        if self.limit == "ito-sde" and not self.noise:
            raise ValueError("noise: a network without noise has no Ito SDE as its limit")
        return self


class Params(Settings):
    cases: tuple[Case, ...] = setting("scalings and limits", min_length=1)
    depths: tuple[int, ...] = setting("depths L of networks without noise", unit="layers", min_length=1)
    noisy_depths: tuple[int, ...] = setting("depths L of networks with noise", unit="layers", min_length=1)
    reference_steps: int = setting("steps of Euler and Maruyama's scheme for the SDE on the same paths", ge=1)
    paths: int = setting("Brownian paths of a seed", ge=1)
    seeds: int = setting("independent smooth weights, each with paths of its own", ge=1)
    dim: int = setting("dimension of the state", ge=1, default=4)
    dtype: Dtype = setting("floating-point type of states and weights", default="float64")

    @model_validator(mode="after")
    def grids_are_nested(self) -> Self:
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


class Point(Settings):
    limit: Limit
    alpha: float
    beta: float
    activation: Activation
    noise: float
    gain: float
    depths: tuple[int, ...]
    reference_steps: int
    paths: int
    dim: int
    dtype: Dtype


LOG = {
    "errors": (
        Column("limit", "string", "", "the limit compared with"),
        Column("alpha", "float64", "", "exponent of the residuals' scale"),
        Column("beta", "float64", "", "exponent of the smooth weights' scale"),
        Column("activation", "string", "", "sigma"),
        Column("noise", "float64", "", "size of the Brownian path in the weights"),
        Column("drift", "float64", "", "factor of sigma''(0) Q in the limit's drift: 1/2 is right; 0 for an ODE"),
        Column("depth", "int64", "layers", "depth L"),
        Column("seed", "int64", "", "seed of the smooth weights, the paths and the loss"),
        Column("state_error", "float64", "", "sup over t of the RMS over paths of |h - H|"),
        Column("jacobian_error", "float64", "", "the same of |dh/dx - J|_F"),
        Column("gradient_error", "float64", "", "the same of the loss gradients with respect to h_t and H_t"),
        Column("diverged", "bool", "", "whether a path of the network or of the limit is not finite"),
    ),
}


def cells(params: Params) -> list[Point]:
    rest = {name: getattr(params, name) for name in ("reference_steps", "dim", "dtype")}
    return [
        Point(
            **case.model_dump(),
            **rest,
            depths=params.noisy_depths if case.noise else params.depths,
            paths=params.paths if case.noise else 1,
        )
        for case in params.cases
    ]
