"""Perceptrons by hand against torch.nn and double backward, and the deviations of their first weights."""

import numpy as np
import pytest
import torch

from resodectl.numerics.curvature.mean_square import MeanSquareHessian
from resodectl.numerics.curvature.operators import Hessian, dense
from resodectl.numerics.networks.perceptron import Perceptron, gelu, tanh, torch_default, xavier_normal

NETWORKS = {
    "tanh": Perceptron((5, 7, 4, 3)),
    "gelu": Perceptron((5, 6, 3), gelu),
    "no output bias": Perceptron((1, 9, 1), tanh, output_bias=False),
    "deep": Perceptron((5, 4, 4, 4, 2), gelu),
    "linear": Perceptron((5, 3)),
}


def streams(name, seeds=(0, 1)):
    return [np.random.default_rng([seed, *name.encode()]) for seed in seeds]


def problem(network, samples=11):
    rng = np.random.default_rng(0)
    x, y = (
        torch.from_numpy(rng.standard_normal((samples, width))) for width in network.widths[:: len(network.widths) - 1]
    )
    return torch_default(network, streams), x, y


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("factor", [0.5, 1.0])
def test_loss_gradient_and_hessian_are_those_of_double_backward(name, factor):
    network = NETWORKS[name]
    weights, x, y = problem(network)
    by_hand = MeanSquareHessian(network, weights, x, y, factor)
    exact = Hessian(lambda w: factor * (network.outputs(w, x) - y).square().sum(2).mean(1), weights)
    tight = {"rtol": 1e-12, "atol": 1e-13}
    torch.testing.assert_close(by_hand.loss, exact.loss, **tight)
    torch.testing.assert_close(by_hand.gradient, exact.gradient, **tight)
    vectors = torch.from_numpy(np.random.default_rng(1).standard_normal(weights.shape))
    torch.testing.assert_close(by_hand @ vectors, exact @ vectors, **tight)
    torch.testing.assert_close(dense(by_hand), dense(exact), **tight)
    torch.testing.assert_close(dense(by_hand), dense(by_hand).transpose(1, 2), **tight)


@pytest.mark.parametrize("name", NETWORKS)
def test_runs_can_be_left_out(name):
    network = NETWORKS[name]
    _, x, y = problem(network)
    weights = torch_default(network, lambda tensor: streams(tensor, seeds=range(5)))
    vectors = torch.from_numpy(np.random.default_rng(1).standard_normal(weights.shape))
    chosen = torch.tensor([3, 1])
    whole = MeanSquareHessian(network, weights, x, y, 0.5)
    torch.testing.assert_close(whole.narrowed(chosen) @ vectors[chosen], (whole @ vectors)[chosen])
    again = whole.narrowed(chosen).narrowed(torch.tensor([0]))
    torch.testing.assert_close(again @ vectors[3:4], (whole @ vectors)[3:4])


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_those_of_torch_nn_with_the_weights_in_its_order(name):
    network = NETWORKS[name]
    weights, x, _ = problem(network)
    assert weights.shape == (2, network.size)
    modules = []
    for level in range(len(network.widths) - 1):
        last = level == len(network.widths) - 2
        bias = network.output_bias or not last
        modules.append(torch.nn.Linear(*network.widths[level : level + 2], bias=bias, dtype=torch.float64))
        if not last:
            modules.append(torch.nn.Tanh() if network.activation is tanh else torch.nn.GELU())
    plain = torch.nn.Sequential(*modules)
    for run in range(2):
        torch.nn.utils.vector_to_parameters(weights[run], plain.parameters())
        torch.testing.assert_close(network.outputs(weights, x)[run], plain(x))


@pytest.mark.parametrize("activation", [tanh, gelu])
def test_derivatives_of_activations_are_those_of_autograd(activation):
    z = torch.linspace(-4, 4, 41, dtype=torch.float64, requires_grad=True)
    value, slope, second = activation(z)
    (exact,) = torch.autograd.grad(value.sum(), z, create_graph=True)
    torch.testing.assert_close(slope, exact)
    torch.testing.assert_close(second(), torch.autograd.grad(exact.sum(), z)[0])


def test_first_weights_have_the_stated_deviations_and_a_seed_draws_the_same_in_every_block():
    network = Perceptron((40, 60, 50), output_bias=False)
    drawn = xavier_normal(network, streams, (1.9, 1.0))
    first, second = network.layers(drawn)
    assert first[0].std().item() == pytest.approx(1.9 * (2 / 100) ** 0.5, rel=0.05)
    assert second[0].std().item() == pytest.approx((2 / 110) ** 0.5, rel=0.05)
    assert first[1].abs().max().item() == 0
    assert second[1] is None
    alone = xavier_normal(network, lambda name: streams(name, seeds=(1,)), (1.9, 1.0))
    assert torch.equal(alone[0], drawn[1])
    flat = torch_default(Perceptron((25, 60, 50)), streams)
    assert flat[:, : 60 * 25 + 60].abs().max().item() == pytest.approx(1 / 5, rel=0.01)
    assert flat[:, 60 * 25 + 60 :].abs().max().item() == pytest.approx(60**-0.5, rel=0.01)
