"""The point sets in the plane on which two-layer leaky-ReLU networks are trained: Lyu et al. 2021 (arXiv 2110.13905).

The paper's own points are not known to us; these have the properties that its theorems ask for.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from resodectl.families.margin.leaky_settings import Hints, SetName
from resodectl.numerics.margins.plane import hard_margin

Floats = npt.NDArray[np.float64]


class Labelled(NamedTuple):
    """Points `x` `(n, 2)` with labels `y` `(n,)`, +1 or -1."""

    x: Floats
    y: Floats


def labelled(name: SetName, hints: Hints) -> Labelled:
    """The set of that name; `hints` count for the hinted one alone.

    symmetric: ten points of a half-plane and their negatives, of the other label. one-dropped: the same without the
    negative that is nearest to the best line, so that one point has no partner. positive: the support vectors of the
    one-neuron problem have label 1. flipped: the same with all labels exchanged. hinted: four symmetric points and
    `hints`.
    """
    if name in ("symmetric", "one-dropped"):
        whole = _symmetric()
        if name == "symmetric":
            return whole
        best, _ = linear_margin(whole, np.ones(len(whole.y)))
        heights = np.where(whole.y < 0, whole.y * (whole.x @ best), np.inf)
        return Labelled(*(np.delete(part, heights.argmin(), 0) for part in whole))
    if name == "hinted":
        added = [(hints.far, 0.0), (hints.near, hints.wide), (hints.near, -hints.wide)]
        corners = [(1.0, 1.0), (1.0, -1.0), (-1.0, -1.0), (-1.0, 1.0)]
        return Labelled(np.array([*corners, *added]), np.array([1.0, 1, -1, -1, 1, 1, 1]))
    x, y = _positive()
    return Labelled(x, y if name == "positive" else -y)


def linear_margin(points: Labelled, scales: Floats) -> tuple[Floats, float]:
    """The hard-margin direction `(2,)` through the origin, and its margin, of points scaled one by one, `(n,)`."""
    direction, margin = hard_margin(torch.from_numpy((points.y * scales)[:, None] * points.x))
    return direction.numpy(), margin.item()


def neuron_scales(points: Labelled, slope: float, sign: int = 1) -> Floats:
    """The slopes at which a neuron along the mean sees the points: 1 where y = sign, else the leaky slope; `(n,)`."""
    return np.where(points.y == sign, 1.0, slope)


def pull(points: Labelled, slope: float, sign: int) -> Floats:
    """mu_+ or mu_-: the mean `(2,)` of y c x, c as `neuron_scales` has it; neurons grow at the rate |mu| / 2 along it.

    It holds for small neurons with a of that sign, where y <mu, x> > 0 for all points.
    """
    return ((points.y * neuron_scales(points, slope, sign))[:, None] * points.x).mean(0)


def _symmetric() -> Labelled:
    centre = np.array([1.2, 0.4])
    along = centre / np.linalg.norm(centre)
    half = centre + np.random.default_rng(0).uniform(-0.8, 0.8, (10, 2))
    half = np.where((half @ along < 0)[:, None], -half, half) + 0.15 * along
    return Labelled(np.concatenate([half, -half]), np.repeat([1.0, -1.0], 10))


def _positive() -> Labelled:
    stream = np.random.default_rng(5)
    far = np.array([3.0, 1.0]) + stream.uniform(-0.5, 0.5, (8, 2))
    close = np.array([0.6, 0.5]) + stream.uniform(-0.3, 0.3, (6, 2))
    negative = -(np.array([2.0, 1.2]) + stream.uniform(-0.4, 0.4, (6, 2)))
    return Labelled(np.concatenate([far, close, negative]), np.repeat([1.0, -1.0], [14, 6]))
