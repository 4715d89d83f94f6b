"""The exact optima that classifiers of the plane are compared with, and how near hidden units are to them."""

from typing import NamedTuple

import numpy as np
import torch

from resodectl.numerics.laws.arc_cosine import relu_gram
from resodectl.numerics.laws.correlations import Floats
from resodectl.numerics.margins.kernel_svm import KernelMargin, kernel_svm
from resodectl.numerics.margins.plane import hard_margin
from resodectl.numerics.margins.variation_norm import MaxMargin, arrangement, max_margin


class Optima(NamedTuple):
    """The largest margins in the unit balls of F1 and F2, the latter with the arc-cosine kernel."""

    f1: MaxMargin
    f2: KernelMargin


def optima_of(inputs: Floats, labels: Floats, tolerance: float) -> Optima:
    """The optima of inputs (1, x, y) `(n, 3)` with labels `(n,)`; that of F1 up to a relative gap of `tolerance`."""
    f1 = max_margin(inputs, labels, arrangement(inputs), tolerance=tolerance)
    return Optima(f1, kernel_svm(relu_gram(inputs, inputs), labels))


def best_line(points: Floats, labels: Floats) -> tuple[Floats, float, float] | None:
    """Direction u, offset c and margin of the separating line <u, p> = c furthest from all points `(n, 2)`.

    u is along the shortest difference of a point of the hull of label 1 and one of that of label -1, which the line
    halves. None where no line separates the labels `(n,)`.

    >>> best_line(np.array([[3.0, 0.0], [1.0, 5.0]]), np.array([1.0, -1.0]))[2]  # half their distance
    2.6925824035672523
    """
    above, below = points[labels > 0], points[labels < 0]
    differences = (above[:, None] - below).reshape(-1, 2)
    direction, margin = (found.numpy() for found in hard_margin(torch.from_numpy(differences)))
    if margin <= 0:
        return None
    offset = ((above @ direction).min() + (below @ direction).max()) / 2
    return direction, float(offset), float(margin) / 2


def alignment(hidden: Floats, output: Floats, optimum: MaxMargin) -> float:
    """The mean cosine of hidden units a_j `(m, d)` with the nearest atom of their sign, weighted by |a_j| |b_j|.

    The sign of a unit is that of b_j, `(m,)`; where the optimum has no atom of that sign, the cosine counts as -1. The
    mean is 0 where all weights are.
    """
    lengths = np.linalg.norm(hidden, axis=1)
    cosines = hidden @ optimum.directions.T / np.where(lengths > 0, lengths, 1.0)[:, None]
    nearest = np.where(np.sign(output)[:, None] == np.sign(optimum.masses), cosines, -1.0).max(1)
    weights = lengths * np.abs(output)
    return float(weights @ nearest / weights.sum()) if weights.sum() > 0 else 0.0
