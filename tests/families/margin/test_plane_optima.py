"""The optima of points in the plane: closed forms of XOR, lines by hand, alignments."""

import numpy as np
import pytest

from resodectl.families.margin.plane_optima import alignment, best_line, optima_of
from resodectl.numerics.laws.arc_cosine import relu_gram
from resodectl.numerics.margins.variation_norm import MaxMargin

SIGNS = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])


@pytest.mark.parametrize(("a", "b", "f1", "f2"), [(0.5, 0.5, 0.08838835, 0.09869352), (0.3, 0.4, 0.06, 0.05814394)])
def test_xor_has_its_closed_forms(a: float, b: float, f1: float, f2: float) -> None:
    inputs, labels = np.column_stack([np.ones(4), SIGNS * (a, b)]), SIGNS.prod(1)
    found = optima_of(inputs, labels, 1e-7)
    assert (found.f1.lower, found.f1.upper) == pytest.approx((f1, f1), rel=1e-6)
    assert (found.f2.lower, found.f2.upper) == pytest.approx((f2, f2), rel=1e-6)
    kernel = relu_gram(inputs, inputs)
    assert np.sqrt(labels @ kernel @ labels) / 4 == pytest.approx(f2, rel=1e-6)


def test_the_best_line_halves_the_shortest_way_between_the_hulls() -> None:
    points = np.array([[2.0, 5.0], [4.0, -1.0], [2.0, -3.0], [-1.0, 0.0], [-3.0, 7.0]])
    direction, offset, margin = best_line(points, np.array([1.0, 1, 1, -1, -1])) or pytest.fail("they are separable")
    np.testing.assert_allclose(direction, [1.0, 0.0], atol=1e-12)
    assert (offset, margin) == pytest.approx((0.5, 1.5))
    flipped = best_line(points, np.array([-1.0, -1, -1, 1, 1])) or pytest.fail("they are separable")
    assert flipped[1:] == pytest.approx((-0.5, 1.5))


def test_xor_has_no_line() -> None:
    assert best_line(SIGNS, SIGNS.prod(1)) is None


def test_units_are_compared_with_the_atoms_of_their_sign() -> None:
    atoms = np.array([[1.0, 0, 0], [0.0, 1, 0]])
    optimum = MaxMargin(1.0, 1.0, atoms, np.array([0.5, -0.5]), np.ones(1))
    assert alignment(3 * atoms, np.array([2.0, -1.0]), optimum) == pytest.approx(1.0)
    assert alignment(3 * atoms, np.array([-2.0, 1.0]), optimum) == pytest.approx(0.0)
    hidden = np.array([[0.6, 0.8, 0], [0.0, -2.0, 0]])
    assert alignment(hidden, np.array([1.0, -3.0]), optimum) == pytest.approx((0.6 - 6) / 7)
    assert alignment(hidden, np.zeros(2), optimum) == 0.0
    only = optimum._replace(directions=atoms[:1], masses=np.ones(1))
    assert alignment(atoms, np.array([1.0, -1.0]), only) == pytest.approx(0.0)
