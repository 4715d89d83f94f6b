"""margin/planar: the sets have the properties that the theorems ask for."""

import numpy as np
import pytest

from resodectl.families.margin.leaky_settings import Hints
from resodectl.families.margin.planar import labelled, linear_margin, neuron_scales, pull

HINTS = Hints(far=8.0, wide=1.5, near=0.05)
SLOPE = 0.5


def test_the_symmetric_set_has_the_negative_of_every_point_and_the_margin_that_is_known() -> None:
    points = labelled("symmetric", HINTS)
    np.testing.assert_array_equal(points.x[:10], -points.x[10:])
    np.testing.assert_array_equal(points.y[:10], -points.y[10:])
    best, margin = linear_margin(points, np.ones(20))
    mean = (points.y[:, None] * points.x).mean(0)
    assert margin == pytest.approx(0.6898, abs=5e-5)
    assert np.linalg.norm(mean) == pytest.approx(1.563, abs=5e-4)
    assert best @ mean / np.linalg.norm(mean) == pytest.approx(0.777, abs=5e-4)


def test_one_dropped_lacks_the_negative_nearest_to_the_best_line_alone() -> None:
    whole, rest = labelled("symmetric", HINTS), labelled("one-dropped", HINTS)
    best, _ = linear_margin(whole, np.ones(20))
    (gone,) = [k for k in range(20) if not (whole.x[k] == rest.x).all(1).any()]
    assert whole.y[gone] == -1
    assert -whole.x[gone] @ best == min(-whole.x[10:] @ best)
    np.testing.assert_array_equal(np.delete(whole.y, gone), rest.y)


def test_the_one_neuron_margin_of_the_positive_set_is_known_and_its_labels_flip() -> None:
    points, flipped = labelled("positive", HINTS), labelled("flipped", HINTS)
    _, margin = linear_margin(points, neuron_scales(points, SLOPE))
    assert margin / 2 == pytest.approx(0.359906, abs=1e-6)
    np.testing.assert_array_equal(flipped.x, points.x)
    np.testing.assert_array_equal(flipped.y, -points.y)
    assert linear_margin(flipped, neuron_scales(flipped, SLOPE, -1))[1] == pytest.approx(margin)


def test_no_line_passes_the_hints_with_a_margin_above_the_near_coordinate() -> None:
    points = labelled("hinted", HINTS)
    best, margin = linear_margin(points, np.ones(7))
    np.testing.assert_allclose(best, [1, 0], atol=1e-12)
    assert margin == pytest.approx(0.05)
    assert linear_margin(points, neuron_scales(points, SLOPE))[1] == pytest.approx(0.05)


def test_the_pulls_of_the_hinted_set_are_those_by_hand() -> None:
    points = labelled("hinted", HINTS)
    np.testing.assert_allclose(pull(points, SLOPE, 1), [(2 + 2 * SLOPE + 8 + 0.1) / 7, 0])
    np.testing.assert_allclose(pull(points, SLOPE, -1), [(2 + 2 * SLOPE + SLOPE * 8.1) / 7, 0])
