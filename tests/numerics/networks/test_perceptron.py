"""Perceptrons are the modules of torch, and their first weights have the stated deviations."""

import numpy as np
import pytest
import torch

from resodectl.numerics.networks.activations import ACTIVATIONS
from resodectl.numerics.networks.perceptron import Perceptron, torch_default, xavier_normal

GELU = ACTIVATIONS["gelu"]
NETWORKS = {
    "tanh": Perceptron((5, 7, 4, 3)),
    "gelu": Perceptron((5, 6, 3), GELU),
    "no output bias": Perceptron((1, 9, 1), output_bias=False),
    "deep": Perceptron((5, 4, 4, 4, 2), GELU),
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
            modules.append(torch.nn.Tanh() if network.activation is not GELU else torch.nn.GELU())
    plain = torch.nn.Sequential(*modules)
    for run in range(2):
        torch.nn.utils.vector_to_parameters(weights[run], plain.parameters())
        torch.testing.assert_close(network.outputs(weights, x)[run], plain(x))


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
