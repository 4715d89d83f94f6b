"""margin/certificate: the best networks that are known, and the rays on which a network vanishes."""

import math

import numpy as np
import pytest

from resodectl.experiment.context import stream
from resodectl.families.margin import certificate, leaky_relu
from resodectl.families.margin.leaky_relu import Neurons
from resodectl.families.margin.leaky_settings import Hints
from resodectl.families.margin.planar import labelled, linear_margin, neuron_scales


@pytest.mark.parametrize("slope", [0.2, 0.5])
def test_the_best_network_on_symmetric_points_is_linear(slope: float) -> None:
    points = labelled("symmetric", Hints())
    best = certificate.best_network(points, slope)
    _, margin = linear_margin(points, np.ones(20))
    assert best.lower == pytest.approx((1 + slope) / 4 * margin, rel=1e-6)
    assert best.lower <= best.upper <= (1 + 2e-6) * best.lower


def test_the_best_network_on_positive_support_vectors_is_one_neuron() -> None:
    points = labelled("positive", Hints())
    best = certificate.best_network(points, 0.5)
    assert best.upper == pytest.approx(linear_margin(points, neuron_scales(points, 0.5))[1] / 2, rel=1e-6)


@pytest.mark.parametrize(("near", "margin"), [(0.05, 0.1130900), (0.1, 0.1227657)])
def test_the_best_margins_of_hinted_points_are_known(near: float, margin: float) -> None:
    best = certificate.best_network(labelled("hinted", Hints(near=near)), 0.5)
    assert best.lower == pytest.approx(margin, abs=2e-7)
    assert best.upper == pytest.approx(margin, abs=2e-7)


@pytest.mark.parametrize("data", ["one-dropped", "positive", "hinted"])
def test_as_neurons_the_best_network_has_the_certified_margin(data: str) -> None:
    points = labelled(data, Hints())
    best = certificate.best_network(points, 0.5)
    neurons = certificate.as_neurons(best)
    np.testing.assert_allclose(neurons.square_norm(), 2)
    np.testing.assert_allclose(leaky_relu.normalised_margin(neurons, points, 0.5), best.lower, rtol=1e-9)


def test_a_network_vanishes_at_its_zeros_and_changes_sign_nowhere_else() -> None:
    neurons = leaky_relu.draw([stream(seed, "zeros") for seed in range(20)], 6, 1.0)
    grid = 2 * math.pi * np.arange(20_000) / 20_000
    values = neurons.outputs(np.stack([np.cos(grid), np.sin(grid)], 1), 0.3)
    for run, angles in enumerate(certificate.zeros(neurons, 0.3)):
        at = neurons.outputs(np.stack([np.cos(angles), np.sin(angles)], 1), 0.3)[run]
        np.testing.assert_allclose(at, 0, atol=1e-12)
        assert len(angles) == (np.sign(values[run]) != np.sign(np.roll(values[run], -1))).sum()


def test_one_neuron_vanishes_on_its_own_line_exactly() -> None:
    neurons = Neurons(np.array([[[math.cos(0.3), math.sin(0.3)]]]), np.array([[-2.0]]))
    (angles,) = certificate.zeros(neurons, 0.5)
    np.testing.assert_allclose(angles, [0.3 + math.pi / 2, 0.3 + 3 * math.pi / 2], rtol=1e-12)
    normal = np.array([math.cos(0.3), math.sin(0.3)])
    assert certificate.off_line(angles, normal) == pytest.approx(0, abs=1e-10)
    assert certificate.off_line(angles + 0.01, normal) == pytest.approx(math.degrees(0.01))
    assert certificate.off_line(angles[:0], normal) == 90
