"""ReLU networks with max-pooling or strides: runs side by side, torch's own layers, and sizes."""

import math

import pytest
import torch
import torch.nn.functional as F

from resodectl.experiment.context import stream
from resodectl.numerics.networks.rectified import RESNET_18, VGG_11, Plain, Residual, size, xavier


def streams(name: str) -> list:
    return [stream(seed, name) for seed in (0, 1)]


def images(n: int, channels: int = 1, side: int = 8) -> torch.Tensor:
    return torch.randn(n, channels, side, side, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def tensors_of(network: Plain | Residual, weights: torch.Tensor) -> list[torch.Tensor]:
    parts = weights.split([math.prod(shape) for shape in network.shapes])
    return [part.view(shape) for part, shape in zip(parts, network.shapes, strict=True)]


@pytest.mark.parametrize("network", [Plain(1, 10, ((4,), (5, 4)), 8), Residual(1, 10, ((3, 1), (4, 2)))])
def test_each_run_is_the_network_of_its_own_weights_on_its_own_images(network: Plain | Residual) -> None:
    weights, x = xavier(network, streams, 1.4), images(5)
    shared = network.outputs(weights, x)
    assert shared.shape == (2, 5, 10)
    assert torch.allclose(network.outputs(weights, torch.stack([x, x])), shared, rtol=1e-12)
    assert torch.allclose(network.outputs(weights[1:], x)[0], shared[1], rtol=1e-12)


def test_the_plain_network_is_torch_s_own_layers() -> None:
    network = Plain(1, 10, ((4,), (5, 4)), 8)
    weights, x = xavier(network, streams, 1.4)[:1] + 0.01, images(5)
    tensors = tensors_of(network, weights[0])
    maps = F.max_pool2d(F.relu(F.conv2d(x, tensors[0], tensors[1], padding=1)), 2)
    maps = F.relu(F.conv2d(maps, tensors[2], tensors[3], padding=1))
    maps = F.max_pool2d(F.relu(F.conv2d(maps, tensors[4], tensors[5], padding=1)), 2)
    assert torch.allclose(network.outputs(weights, x)[0], F.linear(maps.flatten(1), tensors[6], tensors[7]), rtol=1e-12)


def test_the_residual_network_is_torch_s_own_layers() -> None:
    network = Residual(1, 10, ((3, 1), (4, 1)))
    weights, x = xavier(network, streams, 1.4)[:1] + 0.01, images(5)
    t = tensors_of(network, weights[0])
    maps = F.relu(F.conv2d(x, t[0], t[1], padding=1))
    maps = F.relu(maps + F.conv2d(F.relu(F.conv2d(maps, t[2], t[3], padding=1)), t[4], t[5], padding=1))
    inner = F.conv2d(F.relu(F.conv2d(maps, t[6], t[7], stride=2, padding=1)), t[8], t[9], padding=1)
    maps = F.relu(inner + F.conv2d(maps, t[10], t[11], stride=2))
    assert torch.allclose(network.outputs(weights, x)[0], F.linear(maps.mean((2, 3)), t[12], t[13]), rtol=1e-12)


def test_xavier_s_law_has_its_variance_and_biases_are_zero() -> None:
    network = Plain(3, 10, ((64,), (128,)), 8)
    parts = xavier(network, streams, 2.0).split([math.prod(shape) for shape in network.shapes], 1)
    assert not parts[1].any()
    assert not parts[3].any()
    assert parts[2].var().item() == pytest.approx(4 * 2 / (9 * (64 + 128)), rel=0.02)
    assert parts[4].var().item() == pytest.approx(4 * 2 / (10 + 512), rel=0.05)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (Plain(3, 10, VGG_11, 32), 9_225_610),  # torchvision's features, and a linear layer of 512 to 10
        (Residual(3, 10, RESNET_18), 11_169_162),  # the usual 11,173,962 with a bias for each pair of gain and shift
    ],
)
def test_the_paper_s_networks_have_their_sizes_and_read_cifar(network: Plain | Residual, expected: int) -> None:
    assert size(network) == expected
    weights = torch.full((1, expected), 0.01)
    assert network.outputs(weights, images(2, 3, 32).float()).shape == (1, 2, 10)
