"""The largest normalised margin of any two-layer leaky-ReLU network on planar points, between certified bounds.

gamma = max over theta of min_i y_i f(x_i) / |theta|^2 is half the largest margin over signed measures on the circle of
total mass 1: a linear programme, of whose dual every feasible point is an upper bound (Lyu et al. 2021).
"""

import math

import numpy as np

from resodectl.families.margin.leaky_relu import Neurons
from resodectl.families.margin.planar import Floats, Labelled
from resodectl.numerics.margins.variation_norm import MaxMargin, arrangement, max_margin

GAP = 1e-6  # relative, of the bounds
SECTORS = np.arange(0.1, 2 * math.pi, 1.0)  # no two neighbouring rays are further apart


def best_network(points: Labelled, slope: float) -> MaxMargin:
    """The network of the largest normalised margin, and a bound that none passes, at most 1e-6 above it."""
    return max_margin(points.x, points.y, arrangement(points.x, slope), negative_slope=slope, tolerance=GAP)


def as_neurons(best: MaxMargin) -> Neurons:
    """That network, with balanced layers and |theta|^2 = 2: one run."""
    size = np.sqrt(np.abs(best.masses))
    return Neurons((size[:, None] * best.directions)[None], (np.sign(best.masses) * size)[None])


def zeros(neurons: Neurons, slope: float) -> list[Floats]:
    """The angles of the rays on which f = 0, rising in [0, 2 pi), of each run: f is positively homogeneous."""
    found = []
    for w, a in zip(*neurons, strict=True):
        switches = np.arctan2(w[:, 1], w[:, 0]) + math.pi / 2
        angles = np.sort(np.concatenate([switches, switches + math.pi, SECTORS]) % (2 * math.pi))
        rays = np.stack([np.cos(angles), np.sin(angles)], 1)
        values = Neurons(w[None], a[None]).outputs(rays, slope)[0]
        place = np.flatnonzero((values > 0) != (np.roll(values, -1) > 0))
        before, after = values[place], np.roll(values, -1)[place]
        # No neuron switches between the two rays, so f is linear there, and zero at this share of their chord.
        share = (before / (before - after))[:, None]
        between = (1 - share) * rays[place] + share * np.roll(rays, -1, axis=0)[place]
        found.append(np.sort(np.arctan2(between[:, 1], between[:, 0]) % (2 * math.pi)))
    return found


def off_line(angles: Floats, normal: Floats) -> float:
    """The largest angle, in degrees, of rays `(k,)` with the line through the origin normal to a vector `(2,)`.

    90 where there is no ray: no boundary is further off.

    >>> round(off_line(np.array([math.pi / 2, 3 * math.pi / 2 + 0.1]), np.array([2.0, 0.0])), 3)
    5.73
    """
    sines = np.cos(angles - math.atan2(normal[1], normal[0]))
    return float(np.degrees(np.arcsin(np.clip(np.abs(sines), 0, 1))).max()) if len(angles) else 90.0
