"""Weight generators: their smoothness in depth, and draws that depend neither on depth nor on the other seeds."""

import math

import numpy as np
import pytest
import torch

from resodectl.experiment.context import stream
from resodectl.numerics.draws import normal, uniform
from resodectl.numerics.networks.activations import ACTIVATIONS
from resodectl.numerics.networks.residuals import mlp
from resodectl.numerics.weights.depth import KINDS, mlp_weights, weights

REFINABLE = [kind for kind in KINDS if kind not in ("iid", "alternating")]


def streams(label="W", seeds=(0, 1, 2)):
    return [stream(seed, label) for seed in seeds]


def roughness(kind, depth):
    """Root mean square difference of neighbouring layers."""
    return float(weights(kind, streams(), depth, (8, 16)).diff(dim=0).square().mean().sqrt())


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_are_depth_seeds_and_the_shape_of_the_tensor_with_contiguous_layers(kind):
    drawn = weights(kind, streams(), 8, (3, 5))
    assert drawn.shape == (8, 3, 3, 5)
    assert drawn.dtype == torch.float64
    assert all(layer.is_contiguous() for layer in drawn)


@pytest.mark.parametrize(("kind", "order"), [("smooth", -1), ("brownian", -0.5), ("iid", 0), ("alternating", 0)])
def test_differences_of_neighbouring_layers_fall_with_the_smoothness_in_depth(kind, order):
    slope = math.log2(roughness(kind, 1024) / roughness(kind, 256)) / 2
    assert slope == pytest.approx(order, abs=0.05)


def test_tied_layers_are_equal_and_take_no_memory():
    drawn = weights("tied", streams(), 1000, (4, 4))
    assert roughness("tied", 64) == 0
    assert drawn.untyped_storage().nbytes() == drawn[0].numel() * 8


def test_brownian_increments_have_variance_one_over_depth():
    increments = weights("brownian", streams(), 512, (20, 20)).diff(dim=0)
    assert float(increments.square().mean()) * 512 == pytest.approx(1, rel=0.01)
    lagged = (increments[1:] * increments[:-1]).mean() / increments.square().mean()
    assert abs(float(lagged)) < 0.01


@pytest.mark.parametrize("kind", ["smooth", "tied", "iid"])
def test_entries_have_their_declared_second_moment(kind):
    drawn = weights(kind, streams(seeds=range(40)), 16, (30, 30))
    assert float(drawn.square().mean()) == pytest.approx({"smooth": 0.5}.get(kind, 1.0), rel=0.05)


def test_alternating_weights_are_a_smooth_path_plus_a_constant_of_alternating_sign():
    drawn = weights("alternating", streams(), 256, (4, 4))
    even, odd = drawn[::2], drawn[1::2]
    assert float(even.diff(dim=0).abs().max()) < 0.2
    assert float((even - odd).abs().mean()) > 1


@pytest.mark.parametrize("kind", REFINABLE)
def test_a_shallow_network_is_a_subsample_of_a_deep_one(kind):
    shallow, deep = (weights(kind, streams(), depth, (3,)) for depth in (32, 256))
    torch.testing.assert_close(shallow, deep[::8], rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_does_not_depend_on_its_block(kind):
    together = weights(kind, streams(), 16, (3, 2))
    alone = weights(kind, streams(seeds=(1,)), 16, (3, 2))
    torch.testing.assert_close(together[:, 1:2], alone, rtol=1e-14, atol=1e-15)


def test_brownian_weights_of_another_depth_than_a_power_of_two_are_refused():
    with pytest.raises(ValueError, match="power of two, not 24"):
        weights("brownian", streams(), 24, (3,))


def test_draws_are_those_of_numpy_moved_and_cast():
    drawn = normal(streams(), (2, 3), torch.float32)
    assert drawn.shape == (3, 2, 3)
    assert torch.equal(drawn[1], torch.tensor(stream(1, "W").standard_normal((2, 3)), dtype=torch.float32))
    bounded = uniform(streams(), (1000,), -2.0, 3.0)
    assert -2 <= float(bounded.min()) < -1.9 < 2.9 < float(bounded.max()) < 3


@pytest.mark.parametrize("activation", ["tanh", "gelu", "relu"])
def test_the_mlp_residual_is_v_act_of_wx_plus_b_for_every_seed(activation):
    act = ACTIVATIONS[activation].value
    theta = tuple(w[5] for w in mlp_weights("iid", {name: streams(name) for name in "WbV"}, 8, 4, 6))
    x = normal(streams("x"), (7, 4))
    first, bias, second = theta
    values = mlp(act)(x, theta)
    for seed in range(3):
        for sample in range(7):
            expected = second[seed].mT @ act(first[seed].mT @ x[seed, sample] + bias[seed, 0])
            torch.testing.assert_close(values[seed, sample], expected, rtol=1e-12, atol=1e-14)


def test_mlp_weights_have_the_papers_scales():
    first, bias, second = mlp_weights("iid", {name: streams(name) for name in "WbV"}, 64, 8, 16)
    for stack, scale in ((first, 1 / math.sqrt(8)), (bias, 0.5), (second, 1 / 4)):
        assert float(stack.std()) == pytest.approx(scale, rel=0.03)


def in_turn(*shapes):
    """What the stream of seed 1 draws first: standard normal numbers of these shapes."""
    source = stream(1, "W")
    return source, [source.standard_normal(shape) for shape in shapes]


def test_smooth_weights_are_three_cosines_of_random_amplitude_and_phase():
    source, (amplitudes,) = in_turn((3, 2, 2))
    phases = 2 * math.pi * source.random(3)
    drawn = weights("smooth", streams(), 5, (2, 2))[:, 1].numpy()
    for n in range(5):
        waves = [a * math.cos(math.pi * k * n / 5 + p) for k, a, p in zip((1, 2, 3), amplitudes, phases, strict=True)]
        assert drawn[n] == pytest.approx(sum(waves) / math.sqrt(3), abs=1e-14)


def test_alternating_weights_add_one_normal_draw_to_even_layers_and_take_it_from_odd_ones():
    source, _ = in_turn((3, 2))
    source.random(3)
    delta = source.standard_normal(2)
    apart = (weights("alternating", streams(), 5, (2,)) - weights("smooth", streams(), 5, (2,)))[:, 1].numpy()
    assert apart == pytest.approx(np.outer([1, -1, 1, -1, 1], delta), abs=1e-14)


def test_brownian_weights_are_refined_at_the_midpoints_by_half_the_root_of_an_interval():
    """The bridge over an interval h has the variance h/4 in its middle."""
    _, (constant, end, half, quarters) = in_turn(2, 2, (1, 2), (2, 2))
    middle = end / 2 + half[0] / 2
    first = middle / 2 + quarters[0] * math.sqrt(1 / 2) / 2
    third = (middle + end) / 2 + quarters[1] * math.sqrt(1 / 2) / 2
    drawn = weights("brownian", streams(), 4, (2,))[:, 1].numpy()
    assert drawn == pytest.approx(constant + np.stack([np.zeros(2), first, middle, third]), abs=1e-14)


@pytest.mark.parametrize("kind", ["tied", "iid"])
def test_tied_and_independent_weights_are_the_draws_themselves(kind):
    _, (draws,) = in_turn((5, 2) if kind == "iid" else (1, 2))
    assert weights(kind, streams(), 5, (2,))[:, 1].numpy() == pytest.approx(np.broadcast_to(draws, (5, 2)), abs=0)
