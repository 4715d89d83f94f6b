"""What theory says of the norms of an untrained residual network: exact moments, limit law, first-order law.

h_{k+1} = h_k + alpha V_{k+1} relu(Theta_{k+1} h_k) with alpha = L^-beta, and the gradients p_k: r = |h_L - h_0| / |h_0|
and R = |h_L| / |h_0|, or |p_0 - p_L| / |p_L| and |p_0| / |p_L|. Entries are centred and symmetric, of variance 1/dim.
Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929) study these networks; derivations are in the docstrings.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from resodectl.numerics.laws.arc_cosine import relu_kernel, step_kernel
from resodectl.numerics.laws.correlations import Floats

Norm = Literal["output", "gradient"]

ACTIVE = 0.5
"""E relu(z)^2 / E z^2 for a symmetric z: how much of a layer's square passes."""


def mean_square_change(depth: ArrayLike, exponent: float, active: float = ACTIVE) -> Floats:
    """E r^2 = (1 + active alpha^2)^L - 1 for independent layers: exact at every depth and width, for both norms.

    Given h_k, the residual is centred, so uncorrelated with h_k, of mean square active |h_k|^2. The same holds for
    gradients read from the output, where each relu' passes a coordinate with probability 1/2.
    """
    depths = np.asarray(depth, dtype=float)
    change: Floats = np.expm1(depths * np.log1p(active * depths ** (-2 * exponent)))
    return change


def log_normal_limit(dim: ArrayLike) -> tuple[Floats, Floats]:
    """Mean and standard deviation of log R for independent layers and beta = 1/2 in the limit of infinite depth, both
    in the shape of `dim`.

    dH = dW H / sqrt(2 dim) with a matrix W of Brownian motions, so d|H|^2 / |H|^2 is a Brownian motion with drift.
    """
    width = np.asarray(dim, dtype=float)
    return 1 / 4 - 1 / (2 * width), np.sqrt(1 / (2 * width))


def critical_exponent(depth: ArrayLike) -> Floats:
    """The beta at which E r^2 = 1 for independent layers; it tends to 1/2 like 1 / log(depth).

    >>> round(float(mean_square_change(50, critical_exponent(50))), 12)
    1.0
    """
    depths = np.asarray(depth, dtype=float)
    exponent: Floats = -np.log(2 * np.expm1(math.log(2) / depths)) / (2 * np.log(depths))
    return exponent


def first_order_change(
    correlation: Floats,
    exponent: float,
    norm: Norm,
    dim: int | None = None,
    architecture: Literal["res-1", "res-3"] = "res-3",
) -> float:
    """sqrt(E r^2) to first order in alpha, for layers of correlations `correlation`, `(depth,)`, at lags 0, 1, ...

    For res-1, V_k relu(h_k), the layers' correlation itself counts: half of the squares of h_0 pass the ReLU whatever
    the layer, and half of those of p_L on the way back.

    The residuals are taken at h_0: r^2 = alpha^2 |sum_k f_k(h_0)|^2 / |h_0|^2, whose mean is alpha^2 times the sum
    over k, l of `output_covariance` or `gradient_covariance` of the layers' correlation.

    Raises:
        ValueError: the law of gradients depends on the width, and no `dim` is given.

    >>> round(first_order_change(np.eye(1, 100)[0], 1.0, "output") ** 2, 12)
    0.005
    """
    depth = len(correlation)
    if architecture == "res-1":
        of_pair = ACTIVE * correlation
    elif norm == "output":
        of_pair = output_covariance(correlation)
    elif dim is None:
        raise ValueError("the law of gradients depends on the width: give dim")
    else:
        of_pair = gradient_covariance(correlation, dim)
    pairs = 2.0 * np.arange(depth, 0, -1)  # of layers at each lag
    pairs[0] = depth
    return float(depth**-exponent * math.sqrt(float(pairs @ of_pair)))


def output_covariance(correlation: ArrayLike) -> Floats:
    """E f_k(h).f_l(h) / |h|^2 = rho kappa(rho), in the shape of the layers' correlation rho.

    V gives rho, and the preactivations give kappa(rho) = E relu(z) relu(z'), the `relu_kernel`.
    """
    rho = np.clip(np.asarray(correlation, dtype=float), -1, 1)
    return rho * relu_kernel(rho)


def gradient_covariance(correlation: ArrayLike, dim: int) -> Floats:
    """The same for gradients: rho ((1 - 1/d) rho kappa_0(rho) + kappa(rho) / d), with kappa_0 the `step_kernel`.

    Theta^T (relu'(Theta h) * V^T p): where V^T p is independent of Theta, the components of Theta orthogonal to h give
    rho (1 - 1/d) kappa_0, and the one along h, which decides what passes, gives kappa / d.
    """
    rho = np.clip(np.asarray(correlation, dtype=float), -1, 1)
    return rho * ((1 - 1 / dim) * rho * step_kernel(rho) + relu_kernel(rho) / dim)
