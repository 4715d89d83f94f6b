"""The largest margin over the unit ball of the variation norm (F1), with an upper bound: column generation.

Chizat & Bach 2020 (arXiv 2002.04486): the margin that gradient flow on both layers of an infinitely wide network
f(x) = integral of b phi(<a, x>) reaches is the largest one over probability measures on the unit sphere of the (a, b),

    gamma_1 = 1/2 max { min_i y_i sum_j nu_j phi(<theta_j, x_i>) : |theta_j| = 1, sum_j |nu_j| <= 1 },

since b |a| is at most 1/2 there. Here phi(u) is u for u > 0 and `negative_slope` times u for u < 0. By duality,

    gamma_1 <= 1/2 max_theta |sum_i lambda_i y_i phi(<theta, x_i>)|  for all lambda >= 0 with sum_i lambda_i = 1.
"""

from collections.abc import Callable
from itertools import combinations, product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog

Floats = npt.NDArray[np.float64]

ADDED = 40  # columns of a round, at most
REPEATED = 8  # times that a direction may be found before another is left out for it
SAME = 1e-7  # directions that differ by less in every coordinate are one
MOVED = 1e-9  # relative to the inputs
ASCENT = 200  # steps of the ascent, at most
SMALLEST = 1e-6  # step of the ascent
PART = 20_000  # directions that are looked at together


class Priced(NamedTuple):
    """Directions `(k, d)` that may enter, best first, and the largest |sum_i r_i phi(<theta, x_i>)| that was found."""

    directions: Floats
    largest: float


Pricer = Callable[[Floats, Floats], Priced]
"""From r_i = lambda_i y_i `(n,)` and the current directions `(k, d)` to those that may enter."""


class MaxMargin(NamedTuple):
    """A measure sum_j mass_j delta(direction_j), sum_j |mass_j| = 1: its margin `lower`, and what none can pass.

    `upper` is as good as the pricer: a bound with `arrangement`, an estimate of it with `ascent`. `multipliers` are the
    lambda_i that gave it.
    """

    lower: float
    upper: float
    directions: Floats  # (atoms, d), unit
    masses: Floats  # (atoms,)
    multipliers: Floats  # (n,)


def values(inputs: Floats, directions: Floats, negative_slope: float = 0.0) -> Floats:
    """phi(<theta_j, x_i>) of inputs `(n, d)` and directions `(k, d)`: `(n, k)`."""
    products = inputs @ directions.T
    return np.where(products > 0, products, negative_slope * products)


def max_margin(
    inputs: Floats,
    labels: Floats,
    pricer: Pricer,
    *,
    negative_slope: float = 0.0,
    tolerance: float = 1e-5,
    rounds: int = 100,
) -> MaxMargin:
    """The largest margin of labels `(n,)` in {-1, 1} at inputs `(n, d)`; ends when upper <= (1 + tolerance) lower.

    Each round solves the linear programme over the current directions, whose dual gives the multipliers, and adds the
    directions that the pricer finds for them. Where no measure tells the labels apart the margin is 0, with no mass.

    >>> corners = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]]) / 2
    >>> found = max_margin(corners, np.array([1.0, -1.0, -1.0, 1.0]), arrangement(corners))
    >>> round(found.lower, 6), len(found.masses)  # 1 / (8 sqrt 2), one unit towards each corner
    (0.088388, 4)
    """
    multipliers = np.full(len(labels), 1 / len(labels))
    directions = _distinct(np.concatenate([_unit(inputs), -_unit(inputs)]))
    best = MaxMargin(-np.inf, np.inf, directions[:0], np.empty(0), multipliers)
    for _ in range(rounds):
        signed = labels[:, None] * values(inputs, directions, negative_slope)
        masses, multipliers = _linear_programme(signed)
        lower = float((signed @ masses).min()) / 2
        if lower > best.lower:
            used = masses != 0
            best = best._replace(lower=lower, directions=directions[used], masses=masses[used])
        entering, largest = pricer(multipliers * labels, directions)
        largest = max(largest, float(np.abs(multipliers @ signed).max()))
        if largest / 2 < best.upper:
            best = best._replace(upper=largest / 2, multipliers=multipliers)
        if best.upper <= (1 + tolerance) * best.lower:
            break
        directions = _distinct(np.concatenate([directions, entering[:ADDED]]))
    return best._replace(upper=max(best.lower, best.upper))  # they differ in this order by rounding alone


def _linear_programme(signed: Floats) -> tuple[Floats, Floats]:
    """Masses of the columns of y_i phi(<theta_j, x_i>) `(n, k)` with the largest margin, and the multipliers."""
    n, k = signed.shape
    cost = np.append(np.zeros(2 * k), -1.0)
    below = np.hstack([-signed, signed, np.ones((n, 1))])
    total = np.append(np.ones(2 * k), 0.0)[None]
    bounds = [(0, None)] * (2 * k) + [(None, None)]
    found = linprog(cost, A_ub=below, b_ub=np.zeros(n), A_eq=total, b_eq=[1.0], bounds=bounds, method="highs")
    masses = found.x[:k] - found.x[k:-1]
    multipliers = np.clip(-found.ineqlin.marginals, 0, None)
    return masses / (np.abs(masses).sum() or 1.0), multipliers / multipliers.sum()


def _distinct(directions: Floats) -> Floats:
    """The first of all directions that are one, in their order."""
    _, first = np.unique(np.round(directions / SAME), axis=0, return_index=True)
    return directions[np.sort(first)]


def arrangement(inputs: Floats, negative_slope: float = 0.0) -> Pricer:
    """A pricer that looks at all directions, exactly, for inputs of 2 or 3 coordinates.

    theta -> sum_i r_i phi(<theta, x_i>) is linear between the great circles <theta, x_i> = 0. Hence it is largest, or
    smallest, at a corner where they meet, or where its gradient in a cell, or the projection of that gradient on an
    edge, points along theta. Each cell and edge has a corner; the signs there, with both signs on the circles that meet
    in it, give the gradients of all cells. The circles are those of inputs moved by a relative 1e-9, of which never
    more than necessary meet; among their cells are all of those of the inputs. Inputs with r_i = 0 have no circle, so
    that the cost grows with those that the multipliers single out: like their number to the power d.

    Raises:
        ValueError: there are not 2 or 3 coordinates.
    """
    d = inputs.shape[1]
    if d not in (2, 3):
        raise ValueError(f"directions are all looked at for inputs of 2 or 3 coordinates; these have {d}")
    moved = inputs + MOVED * np.abs(inputs).max() * np.random.default_rng(0).standard_normal(inputs.shape)

    def price(r: Floats, directions: Floats) -> Priced:
        some = np.flatnonzero(r)
        weights, seen = r[some], inputs[some]
        known = np.concatenate([directions, _unit(np.vstack([r @ inputs, seen]))])
        if len(some) >= d - 1:
            floor = _heights(weights, seen, known, negative_slope).max()
            known = np.concatenate([known, _stationary(weights, seen, moved[some], negative_slope, floor)])
        return _best(weights, seen, np.concatenate([known, -known]), negative_slope)

    return price


def _stationary(r: Floats, inputs: Floats, moved: Floats, negative_slope: float, floor: float) -> Floats:
    """Where |g| may be largest if that is more than `floor`, up to the sign of the directions: `(k, d)`."""
    n, d = inputs.shape
    meeting = np.array(list(combinations(range(n), d - 1)))  # (corners, d - 1)
    near, corners = (_unit(_normal(x[meeting])) for x in (moved, inputs))
    meeting, near = np.tile(meeting, (2, 1)), np.concatenate([near, -near])
    slopes = np.where(near @ moved.T > 0, 1.0, negative_slope)
    np.put_along_axis(slopes, meeting, 0.0, axis=1)
    weighted = r[:, None] * inputs
    elsewhere = slopes @ weighted
    normals = _unit(inputs)[meeting]  # (corners, d - 1, d)
    found = [corners]
    for sides in product((1.0, negative_slope), repeat=d - 1):
        cells = elsewhere + (np.array(sides)[:, None] * weighted[meeting]).sum(1)
        gradients = [cells]
        if d == 3:
            gradients += [cells - (cells * e).sum(1, keepdims=True) * e for e in (normals[:, 0], normals[:, 1])]
        # No direction is higher than the gradient there is long.
        found += [_unit(of[np.linalg.norm(of, axis=1) >= (1 - SAME) * floor]) for of in gradients]
    return np.concatenate(found)


def _normal(vectors: Floats) -> Floats:
    """A normal of each `(n, d - 1, d)` vectors, d = 2 or 3: `(n, d)`."""
    if vectors.shape[-1] == 2:
        return vectors[:, 0, ::-1] * (1.0, -1.0)
    return np.cross(vectors[:, 0], vectors[:, 1])


def ascent(inputs: Floats, starts: int, generator: np.random.Generator, negative_slope: float = 0.0) -> Pricer:
    """A pricer for inputs of many coordinates: ascent of |g| on the sphere, g = sum_i r_i phi(<theta, x_i>).

    From the current directions and as many `starts` as given, drawn anew each time, by steps towards the gradient that
    are halved until |g| grows. It may miss the largest value, so that what it finds is no certified upper bound.
    """

    def price(r: Floats, directions: Floats) -> Priced:
        theta = _unit(np.concatenate([directions, generator.standard_normal((starts, inputs.shape[1]))]))
        weighted = r[:, None] * inputs
        step = np.ones((len(theta), 1))
        height, towards = _height_and_gradient(inputs, weighted, theta, negative_slope)
        for _ in range(ASCENT):
            tried = _unit((1 - step) * theta + step * towards)
            higher, there = _height_and_gradient(inputs, weighted, tried, negative_slope)
            better = (higher > height)[:, None]
            theta, towards = np.where(better, tried, theta), np.where(better, there, towards)
            height = np.maximum(height, higher)
            step = np.where(better, np.minimum(2 * step, 1.0), step / 2)
            if (step < SMALLEST).all():
                break
        return _best(r, inputs, theta, negative_slope)

    return price


def _height_and_gradient(
    inputs: Floats, weighted: Floats, theta: Floats, negative_slope: float
) -> tuple[Floats, Floats]:
    """|g| at unit directions `(k, d)`, and its normalised gradients."""
    gradients = np.where(theta @ inputs.T > 0, 1.0, negative_slope) @ weighted
    heights = (theta * gradients).sum(1)  # g is positively homogeneous
    return np.abs(heights), _unit(np.sign(heights)[:, None] * gradients)


def _best(r: Floats, inputs: Floats, directions: Floats, negative_slope: float) -> Priced:
    """The highest of given unit directions, each once."""
    heights = _heights(r, inputs, directions, negative_slope)
    highest = np.argsort(-heights, kind="stable")[: REPEATED * ADDED]
    return Priced(_distinct(directions[highest])[:ADDED], float(heights[highest[0]]))


def _heights(r: Floats, inputs: Floats, directions: Floats, negative_slope: float) -> Floats:
    """|sum_i r_i phi(<theta, x_i>)| at directions `(k, d)`: `(k,)`."""
    parts = np.array_split(directions, 1 + len(directions) // PART)
    return np.concatenate([np.abs(r @ values(inputs, part, negative_slope)) for part in parts])


def _unit(vectors: Floats) -> Floats:
    """Vectors over their lengths; one of length zero becomes the last axis."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    units: Floats = np.where(lengths > 0, vectors, np.eye(vectors.shape[-1])[-1]) / np.where(lengths > 0, lengths, 1.0)
    return units
