"""The mean squared error of perceptrons by hand: loss, gradient and Hessian are those of double backward."""

import numpy as np
import pytest
import torch

from resodectl.numerics.curvature.mean_square import MeanSquareHessian
from resodectl.numerics.curvature.operators import Hessian, dense
from resodectl.numerics.networks.activations import ACTIVATIONS
from resodectl.numerics.networks.perceptron import Perceptron, torch_default

GELU = ACTIVATIONS["gelu"]
NETWORKS = {
    "tanh": Perceptron((5, 7, 4, 3)),
    "gelu": Perceptron((5, 6, 3), GELU),
    "no output bias": Perceptron((1, 9, 1), output_bias=False),
    "deep": Perceptron((5, 4, 4, 4, 2), GELU),
    "linear": Perceptron((5, 3)),
    "relu": Perceptron((5, 6, 4, 3), ACTIVATIONS["relu"]),
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
