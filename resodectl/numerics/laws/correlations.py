"""Correlations in depth of weights whose every entry is a stationary Gaussian sequence of unit variance.

Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929): independent layers, smooth layers, fractional Gaussian noise.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

LENGTH_SCALE = 0.1
"""Of the squared-exponential kernel of smooth weights, in units of the whole depth (its square is 0.01)."""

Floats = NDArray[np.float64]


def fractional_noise(lags: ArrayLike, hurst: float) -> Floats:
    """Of fractional Gaussian noise: (|j - 1|^2H - 2 |j|^2H + |j + 1|^2H) / 2 at each lag j, for 0 < H < 1.

    The sum over all pairs among L successive terms is L^2H.

    >>> fractional_noise([0, 1, 2], 0.5)
    array([1., 0., 0.])
    """
    j = np.abs(np.asarray(lags, dtype=float))
    power = 2 * hurst
    return (np.abs(j - 1) ** power - 2 * j**power + (j + 1) ** power) / 2


def smooth(lags: ArrayLike, depth: int, length_scale: float = LENGTH_SCALE) -> Floats:
    """Of a Gaussian process with kernel exp(-(s - t)^2 / (2 l^2)) seen at k / depth."""
    return np.exp(-((np.asarray(lags, dtype=float) / depth / length_scale) ** 2) / 2)


def smooth_increments(lags: ArrayLike, depth: int, length_scale: float = LENGTH_SCALE) -> Floats:
    """Of the increments from k / depth to (k + 1) / depth of the process of `smooth`, scaled to unit variance."""
    j = np.asarray(lags, dtype=float)

    def below_one(lag: Floats) -> Floats:
        """1 - correlation, without loss of digits at small lags."""
        return -np.expm1(-((lag / depth / length_scale) ** 2) / 2)

    covariance = below_one(j - 1) - 2 * below_one(j) + below_one(j + 1)
    return covariance / (2 * below_one(np.asarray(1.0)))


def smooth_and_rough(lags: ArrayLike, depth: int, length_scale: float, rough_share: float) -> Floats:
    """Of the process of `smooth` plus independent terms, which have the share `rough_share` of the variance.

    >>> smooth_and_rough([0, 1], 1, 1e-3, 0.25)
    array([1., 0.])
    """
    return (1 - rough_share) * smooth(lags, depth, length_scale) + rough_share * independent(lags)


def independent(lags: ArrayLike) -> Floats:
    """Of independent terms: 1 at lag 0, else 0.

    >>> independent([0, 1, 2])
    array([1., 0., 0.])
    """
    return (np.asarray(lags) == 0).astype(float)
