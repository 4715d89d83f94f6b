"""Networks without biases: outputs as torch.nn computes them, homogeneity, initial weights, margins."""

import math

import numpy as np
import pytest
import torch

from resodectl.numerics.networks.homogeneous import (
    BiaslessConvolutional,
    BiaslessPerceptron,
    Homogeneous,
    classification_margins,
    degree,
    torch_default,
)

NETWORKS: dict[str, Homogeneous] = {
    "perceptron": BiaslessPerceptron((784, 16, 8, 10)),
    "convolutional": BiaslessConvolutional((4, 6), 12),
}


def weights_of(network: Homogeneous, runs: int = 2) -> torch.Tensor:
    return torch_default(network, lambda name: [np.random.default_rng([run, len(name)]) for run in range(runs)])


def images(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).random((*shape, 1, 28, 28)))


def by_torch(network: Homogeneous, weights: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """The outputs of one run, by modules of torch.nn."""
    nn = torch.nn
    if isinstance(network, BiaslessConvolutional):
        first, second = network.channels
        layers: list[torch.nn.Module] = [
            nn.Conv2d(1, first, 5, bias=False), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(first, second, 3, bias=False), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(25 * second, network.hidden, bias=False), nn.ReLU(), nn.Linear(network.hidden, 10, bias=False),
        ]  # fmt: skip
    else:
        layers = [
            nn.Flatten(), nn.Linear(784, 16, bias=False), nn.ReLU(), nn.Linear(16, 8, bias=False), nn.ReLU(),
            nn.Linear(8, 10, bias=False),
        ]  # fmt: skip
    module = nn.Sequential(*layers).double()
    torch.nn.utils.vector_to_parameters(weights, module.parameters())
    return module(inputs)


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_those_of_torch_s_modules_run_by_run(name: str) -> None:
    network = NETWORKS[name]
    weights, shared, own = weights_of(network), images(5), images(2, 5)
    for run in range(2):
        torch.testing.assert_close(network.outputs(weights, shared)[run], by_torch(network, weights[run], shared))
        torch.testing.assert_close(network.outputs(weights, own)[run], by_torch(network, weights[run], own[run]))


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_homogeneous_of_the_degree_of_the_layers(name: str) -> None:
    network = NETWORKS[name]
    weights = weights_of(network)
    assert degree(network) == {"perceptron": 3, "convolutional": 4}[name]
    torch.testing.assert_close(
        network.outputs(3.0 * weights, images(5)), 3.0 ** degree(network) * network.outputs(weights, images(5))
    )


def test_initial_weights_are_torch_s_default_and_fill_their_interval() -> None:
    network = NETWORKS["convolutional"]
    parts = weights_of(network).split([math.prod(shape) for shape in network.shapes], dim=1)
    for part, inputs in zip(parts, (25, 36, 150, 12), strict=True):
        assert part.abs().max() <= inputs**-0.5
        assert part.abs().max() > 0.95 * inputs**-0.5


def test_the_paper_s_network_has_the_paper_s_shapes() -> None:
    assert BiaslessConvolutional().shapes == [(32, 1, 5, 5), (64, 32, 3, 3), (1024, 1600), (10, 1024)]


def test_the_margin_of_an_image_is_against_the_best_wrong_class() -> None:
    outputs = torch.tensor([[[3.0, 1.0, 2.0], [0.0, 5.0, 1.0]], [[1.0, 1.0, 0.0], [0.0, 0.0, 9.0]]])
    margins = classification_margins(outputs, torch.tensor([0, 1]))
    torch.testing.assert_close(margins, torch.tensor([[1.0, 4.0], [0.0, -9.0]]))
    own = classification_margins(outputs, torch.tensor([[0, 1], [1, 2]]))
    torch.testing.assert_close(own, torch.tensor([[1.0, 4.0], [0.0, 9.0]]))
