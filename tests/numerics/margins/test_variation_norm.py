"""The largest margin in the variation norm: closed forms, the bound against grids and weak duality, both pricers."""

from math import hypot

import numpy as np
import pytest

from resodectl.numerics.margins.variation_norm import Floats, MaxMargin, arrangement, ascent, max_margin, values

XOR_LABELS = np.array([1.0, -1.0, -1.0, 1.0])
HINTED = [[1, 1], [1, -1], [-1, -1], [-1, 1], [10, 0]]


def xor(a: float, b: float, bias: float) -> Floats:
    return np.array([[bias, s * a, t * b] for s in (1, -1) for t in (1, -1)])


def drawn(seed: int, n: int, d: int) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(seed)
    inputs = np.column_stack([np.ones(n), generator.uniform(-1, 1, (n, d - 1))])
    return inputs, generator.choice([-1.0, 1.0], n)


def directions(seed: int, count: int, d: int) -> Floats:
    found = np.random.default_rng(seed).standard_normal((count, d))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.mark.parametrize("bias", [0.0, 1.0])
@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (0.3, 0.4)])
def test_xor_has_its_closed_form_with_four_atoms_that_ignore_the_bias(a: float, b: float, bias: float) -> None:
    inputs = xor(a, b, bias)
    for pricer in (arrangement(inputs), ascent(inputs, 100, np.random.default_rng(0))):
        found = max_margin(inputs, XOR_LABELS, pricer)
        assert found.lower == pytest.approx(a * b / (4 * hypot(a, b)), rel=2e-5)
        assert found.upper == pytest.approx(a * b / (4 * hypot(a, b)), rel=2e-5)
    atoms = max_margin(inputs, XOR_LABELS, arrangement(inputs), tolerance=1e-9).directions
    assert np.abs(atoms) == pytest.approx(np.tile([0.0, b, a], (4, 1)) / hypot(a, b), abs=1e-6)


@pytest.mark.parametrize(("epsilon", "margin"), [(0.05, 0.1130900), (0.1, 0.1227657)])
def test_the_hinted_set_has_the_largest_margin_of_leaky_networks(epsilon: float, margin: float) -> None:
    inputs = np.array([*HINTED, [epsilon, 1], [epsilon, -1]])
    labels = np.array([1.0, 1, -1, -1, 1, 1, 1])
    found = max_margin(inputs, labels, arrangement(inputs, 0.5), negative_slope=0.5, tolerance=1e-6)
    assert found.lower == pytest.approx(margin, abs=2e-7)
    assert found.upper == pytest.approx(margin, abs=2e-7)


@pytest.mark.parametrize("negative_slope", [-0.3, 0.0, 0.5, 1.0])
def test_leaky_units_on_points_and_their_negatives_reach_a_multiple_of_the_linear_margin(negative_slope: float) -> None:
    """(1 + alpha) / 4 of the distance of their hull from the origin: here the point (1, 0) of an edge."""
    points = np.array([[1.0, 0.5], [1.0, -1.0], [2.0, 0.3]])
    inputs, labels = np.concatenate([points, -points]), np.repeat([1.0, -1.0], 3)
    pricer = arrangement(inputs, negative_slope)
    found = max_margin(inputs, labels, pricer, negative_slope=negative_slope, tolerance=1e-7)
    assert found.lower == pytest.approx((1 + negative_slope) / 4, rel=1e-6)


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("negative_slope", [0.0, 0.5])
def test_the_arrangement_finds_the_largest_value_of_a_fine_net(d: int, negative_slope: float) -> None:
    for seed in range(6):
        inputs, labels = drawn(seed, 9, d)
        r = labels * np.random.default_rng(seed).dirichlet(np.ones(9))
        priced = arrangement(inputs, negative_slope)(r, np.empty((0, d)))
        net = np.abs(r @ values(inputs, directions(seed, 200_000, d), negative_slope)).max()
        assert net <= priced.largest <= net * (1 + 2e-3)
        assert np.abs(r @ values(inputs, priced.directions[:1], negative_slope)).item() == pytest.approx(priced.largest)


def test_the_arrangement_holds_where_many_circles_meet_in_one_point() -> None:
    """Points of a grid lie on common lines, and some are given twice."""
    side = np.linspace(-1, 1, 4)
    inputs = np.array([[1.0, x, y] for x in side for y in side] + [[1.0, 1.0, 1.0]])
    for seed in range(6):
        r = np.random.default_rng(seed).standard_normal(len(inputs))
        priced = arrangement(inputs)(r, np.empty((0, 3)))
        net = np.abs(r @ values(inputs, directions(seed, 200_000, 3))).max()
        assert net <= priced.largest <= net * (1 + 2e-3)


@pytest.mark.parametrize("rounds", [1, 2, 3, 100])
def test_what_is_reached_never_passes_the_bound_and_is_the_margin_of_the_measure(rounds: int) -> None:
    for seed in range(4):
        inputs, labels = drawn(seed, 14, 3)
        found = max_margin(inputs, labels, arrangement(inputs), rounds=rounds)
        assert found.lower <= found.upper
        assert margin(found, inputs, labels) == pytest.approx(found.lower)
        assert np.linalg.norm(found.directions, axis=1) == pytest.approx(1.0)
        assert found.multipliers.sum() == pytest.approx(1.0)
        net = directions(seed, 20_000, 3)
        assert np.abs((found.multipliers * labels) @ values(inputs, net)).max() / 2 <= found.upper
        if rounds == 100:
            assert found.upper <= (1 + 1e-5) * found.lower


def test_the_ascent_nearly_finds_what_the_arrangement_finds() -> None:
    inputs, labels = drawn(3, 20, 3)
    exact = max_margin(inputs, labels, arrangement(inputs))
    found = max_margin(inputs, labels, ascent(inputs, 300, np.random.default_rng(0)))
    assert found.lower <= exact.upper
    assert found.lower == pytest.approx(exact.lower, rel=2e-3)


def test_equal_inputs_with_unlike_labels_have_no_margin() -> None:
    inputs = np.array([[1.0, 0.5, 0.5], [1.0, 0.5, 0.5], [1.0, -0.2, 0.3]])
    found = max_margin(inputs, np.array([1.0, -1.0, 1.0]), arrangement(inputs), rounds=5)
    assert found.lower == pytest.approx(0.0, abs=1e-12)
    assert found.upper == pytest.approx(0.0, abs=1e-12)


def test_one_input_is_reached_by_one_unit() -> None:
    inputs = np.array([[1.0, 2.0, 2.0]])
    found = max_margin(inputs, np.array([-1.0]), arrangement(inputs))
    assert (found.lower, found.upper) == pytest.approx((1.5, 1.5))
    assert found.masses.tolist() == [-1.0]


def test_other_numbers_of_coordinates_have_no_arrangement() -> None:
    with pytest.raises(ValueError, match="these have 4"):
        arrangement(np.ones((5, 4)))


def margin(found: MaxMargin, inputs: Floats, labels: Floats) -> float:
    reached = labels * (values(inputs, found.directions) @ found.masses)
    return float(reached.min()) / 2 / np.abs(found.masses).sum() if len(found.masses) else 0.0
