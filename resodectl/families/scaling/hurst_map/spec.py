"""Maps of norms at initialisation: Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929), Figure 7.

h_{k+1} = h_k + L^-beta V_k relu(Theta_k h_k), or without Theta_k, and h_0 = A x; along the layers, each entry of V_k
and Theta_k is fractional Gaussian noise of Hurst index H and variance 1/d.
"""

from typing import Literal

from resodectl.experiment.choices import Dtype
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting
from resodectl.families.scaling.grids import Grid, HurstGrid

Architecture = Literal["res-1", "res-3"]


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    betas: Grid = setting("exponents beta of the residual scale L^-beta")
    depth: int = setting("residual layers L", unit="layers", ge=2)
    dim: int = setting("dimension d of the hidden state", ge=2)
    pixels: int = setting("dimension of the inputs, uniform on [0, 1]", ge=1, default=64)
    inputs: int = setting("inputs through each draw of the layers, each with its own first and last layer", ge=1)
    architecture: Architecture = setting("f(h): V relu(h) or V relu(Theta h)", default="res-3")
    cap: float = setting(
        "largest log10 of a norm: larger ones, and overflows, are set to it, and those below its negative to that",
        gt=1.0,
        default=16.0,
    )
    dtype: Dtype = setting("floating-point type; float32 overflows sooner", default="float64")


class Params(Shared):
    """What a recipe sets."""

    hursts: HurstGrid = setting("Hurst indices H of the weights")
    seeds: int = setting("independent draws of the weights, each with its own inputs", ge=1)


class Point(Shared):
    """What determines a cell: one Hurst index; all scaling exponents and inputs are columns of one program."""

    hurst: float


LOG = {
    "norms": (
        Column("hurst", "float64", "", "Hurst index H of the weights"),
        Column("beta", "float64", "", "exponent beta of the residual scale L^-beta"),
        Column("depth", "int64", "layers", "residual layers L"),
        Column("dim", "int64", "", "dimension d of the hidden state"),
        Column("architecture", "string", "", "f(h): V relu(h) (res-1) or V relu(Theta h) (res-3)"),
        Column("seed", "int64", "", "seed of the weights and inputs"),
        Column("log10_out", "float64", "", "mean over inputs of log10 |h_L - h_0| / |h_0|, capped"),
        Column("log10_grad", "float64", "", "mean over inputs of log10 |p_0 - p_L| / |p_L|, p_k = dl/dh_k, capped"),
        Column("log10_rms_out", "float64", "", "log10 of the root mean square of |h_L - h_0| / |h_0|, capped"),
        Column("log10_rms_grad", "float64", "", "log10 of the root mean square of |p_0 - p_L| / |p_L|, capped"),
        Column("capped_out", "float64", "", "share of inputs whose |h_L - h_0| / |h_0| is capped or has overflowed"),
        Column("capped_grad", "float64", "", "share of inputs whose |p_0 - p_L| / |p_L| is capped or has overflowed"),
    )
}
SEED_BLOCK = 8


def cells(params: Params) -> list[Point]:
    """One cell for each Hurst index."""
    return [point(Point, params, hurst=hurst) for hurst in params.hursts.values()]
