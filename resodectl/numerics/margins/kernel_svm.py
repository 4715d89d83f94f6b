"""The largest margin in a reproducing kernel Hilbert space: the hard-margin SVM of a kernel matrix, without offset.

gamma_2 = max over |f| <= 1 of min_i y_i f(x_i). Its dual is the distance of the origin from the convex hull of the
y_i k(x_i, .): gamma_2 = min over c >= 0, sum c = 1 of sqrt(c^T Q c), Q_ij = y_i y_j k(x_i, x_j). With F^T F = Q, the
nearest point of the hull is, up to a factor, the non-negative least-squares solution of F c = 0, sum c = 1 (Lawson &
Hanson 1974, chapter 23), which an active-set method finds exactly. Any c bounds gamma_2 from both sides.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from resodectl.numerics.laws.correlations import Floats


class KernelMargin(NamedTuple):
    """The classifier f = sum_i coefficients_i k(x_i, .), of norm one, and the bounds lower <= gamma_2 <= upper."""

    coefficients: Floats
    lower: float
    upper: float


def kernel_svm(kernel: Floats, labels: Floats) -> KernelMargin:
    """The largest margin of a kernel matrix `(n, n)`, positive semi-definite, for labels `(n,)` of +-1.

    Where no function of the space separates the data, the margin is zero: `upper` is then zero up to rounding, and the
    coefficients, whose norm cannot be one, are the point of the hull that is the origin, with a `lower` of zero.

    Raises:
        ValueError: the shapes do not fit, or a label is neither 1 nor -1.

    >>> of = kernel_svm(np.eye(2), np.array([1.0, -1.0]))  # the distance of (e1 - e2) / 2 from the origin
    >>> round(of.lower, 6), round(of.upper, 6), of.coefficients.round(6)
    (0.707107, 0.707107, array([ 0.707107, -0.707107]))
    """
    if kernel.shape != (len(labels), len(labels)) or not np.isin(labels, (-1, 1)).all():
        raise ValueError(f"kernel_svm: a kernel {kernel.shape} and {len(labels)} labels of +-1 do not fit together")
    size = float(np.trace(kernel)) / len(labels) or 1.0
    signed = kernel * np.outer(labels, labels) / size
    values, vectors = np.linalg.eigh(signed)
    factor = np.sqrt(values.clip(min=0))[:, None] * vectors.T
    hull, _ = nnls(np.vstack([factor, np.ones(len(labels))]), np.append(np.zeros(len(labels)), 1.0))
    images = signed @ hull
    norm = float(np.sqrt(max(hull @ images, 0.0)))
    upper = float(norm / hull.sum() * size**0.5)
    if norm <= np.finfo(float).eps ** 0.5 * hull.sum():
        return KernelMargin(hull * labels, 0.0, upper)
    return KernelMargin(hull * labels / (norm * size**0.5), float(images.min()) / norm * size**0.5, upper)
