"""Arc-cosine kernels: means of products over standard normal variables z, z' of correlation rho (Cho & Saul 2009)."""

import numpy as np
from numpy.typing import ArrayLike

from resodectl.numerics.laws.correlations import Floats


def step_kernel(rho: ArrayLike) -> Floats:
    """P(z > 0, z' > 0) = E relu'(z) relu'(z'), order 0, in the shape of rho; correlations are clipped to [-1, 1].

    >>> step_kernel([-1, 0, 1])
    array([0.  , 0.25, 0.5 ])
    """
    correlation = np.clip(np.asarray(rho, dtype=float), -1, 1)
    kernel: Floats = 1 / 4 + np.arcsin(correlation) / (2 * np.pi)
    return kernel


def relu_kernel(rho: ArrayLike) -> Floats:
    """E relu(z) relu(z'), order 1, in the shape of rho; correlations are clipped to [-1, 1].

    1/2 at 1, 1/(2 pi) at 0 and 0 at -1.

    >>> relu_kernel([-1, 1])
    array([0. , 0.5])
    """
    correlation = np.clip(np.asarray(rho, dtype=float), -1, 1)
    angular = np.sqrt(1 - correlation**2) + correlation * (np.pi - np.arccos(correlation))
    kernel: Floats = angular / (2 * np.pi)
    return kernel


def relu_gram(inputs: Floats, others: Floats) -> Floats:
    """E relu(<a, x>) relu(<a, x'>) over standard normal a, for rows x of `(n, d)` and x' of `(k, d)`: `(n, k)`.

    This is |x| |x'| times `relu_kernel` of the cosine of their angle; leading axes are batched.

    >>> relu_gram(np.array([[3.0, 4.0]]), np.array([[3.0, 4.0], [-4.0, 3.0]])).round(6)
    array([[12.5     ,  3.978874]])
    """
    norms = np.linalg.norm(inputs, axis=-1)[..., :, None] * np.linalg.norm(others, axis=-1)[..., None, :]
    products = inputs @ np.swapaxes(others, -1, -2)
    gram: Floats = norms * relu_kernel(np.divide(products, norms, out=np.zeros_like(products), where=norms > 0))
    return gram
