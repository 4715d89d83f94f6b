"""VGG-11 and the normalised perceptron: against torch.nn, run by run, and invariant to the scale of their weights."""

import numpy as np
import pytest
import torch
from torch import nn

from resodectl.experiment.context import stream
from resodectl.numerics.curvature.operators import Hessian
from resodectl.numerics.networks.normalisation import normalise
from resodectl.numerics.networks.normalised_perceptron import NormalisedPerceptron
from resodectl.numerics.networks.vgg import POOL, VGG_11, Vgg

SMALL = (4, POOL, 6, POOL)  # a plan for images of 8 x 8 pixels
IMAGES = torch.from_numpy(np.random.default_rng(0).standard_normal((7, 3, 8, 8)))


def streams(*seeds: int):
    return lambda name: [stream(seed, name) for seed in seeds]


def small(normalised: bool) -> Vgg:
    return Vgg(3, 5, normalised, SMALL, 8)


def module_of(network: Vgg, weights: torch.Tensor, head: torch.Tensor, affine: bool = False) -> nn.Sequential:
    """The network of one run, of torch.nn layers."""
    layers: list[nn.Module] = []
    inputs = network.channels
    for width in network.plan:
        if width == POOL:
            layers.append(nn.AvgPool2d(2))
            continue
        layers.append(nn.Conv2d(inputs, width, 3, padding=1, bias=not network.normalised))
        if network.normalised:
            layers.append(nn.BatchNorm2d(width, eps=1e-30, affine=affine, track_running_stats=False))
        layers.append(nn.Softplus() if network.normalised else nn.GELU())
        inputs = width
    module = nn.Sequential(*layers, nn.Flatten(), nn.Linear(network.features, network.classes, bias=False)).double()
    convolutions = [layer for layer in module if isinstance(layer, nn.Conv2d)]
    tensors = [layer.weight for layer in convolutions]
    if not network.normalised:
        tensors += [layer.bias for layer in convolutions]
    with torch.no_grad():
        for tensor, part in zip(tensors, weights.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))
        module[-1].weight.copy_(head)
    return module


@pytest.mark.parametrize("normalised", [False, True])
def test_every_run_is_the_network_of_torch_nn(normalised: bool) -> None:
    network = small(normalised)
    weights, head = network.initial(streams(1, 2))
    weights += 0.1 * torch.randn(weights.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert weights.shape == (2, network.size)
    found = network.outputs(weights, head, IMAGES)
    for run in range(2):
        expected = module_of(network, weights[run], head[run])(IMAGES)
        torch.testing.assert_close(found[run], expected, rtol=1e-11, atol=1e-13)


def test_the_networks_of_the_papers_have_the_published_numbers_of_weights() -> None:
    assert Vgg(3, 10, normalised=False).size == 9_220_480
    assert Vgg(3, 10, normalised=True).size == 9_220_480 - (64 + 128 + 2 * 256 + 4 * 512)  # no biases
    assert Vgg(3, 10, normalised=False).features == 512
    assert sum(width != POOL for width in VGG_11) == 8


def test_kernels_have_the_variance_two_over_nine_times_the_outputs_and_the_head_a_deviation_of_a_hundredth() -> None:
    network = Vgg(3, 10, normalised=False, plan=(64, POOL, 128, POOL), side=8)
    weights, head = network.initial(streams(*range(4)))
    first, second, *biases = weights.split([64 * 27, 128 * 64 * 9, 64, 128], dim=1)
    assert (first.var() * 9 * 64 / 2).item() == pytest.approx(1, abs=0.06)
    assert (second.var() * 9 * 128 / 2).item() == pytest.approx(1, abs=0.02)
    assert not torch.cat(biases, 1).any()
    assert head.std().item() == pytest.approx(0.01, rel=0.03)


NETWORKS = {
    "vgg": (small(normalised=True), IMAGES),
    "perceptron": (NormalisedPerceptron((192, 8, 6, 5)), IMAGES),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_loss_is_invariant_to_the_scale_of_the_weights_with_all_that_follows_from_it(name: str) -> None:
    network, images = NETWORKS[name]
    weights, head = network.initial(streams(3, 4))

    def losses(w: torch.Tensor) -> torch.Tensor:
        outputs = network.outputs(w, head, images)
        return (
            nn.functional.cross_entropy(outputs.flatten(0, 1), torch.arange(14) % 5, reduction="none").view(2, 7).sum(1)
        )

    here, scale = Hessian(losses, weights), torch.tensor([[0.3], [7.0]], dtype=torch.float64)
    there = Hessian(losses, scale * weights)
    tight = {"rtol": 1e-9, "atol": 1e-11}
    torch.testing.assert_close(there.loss, here.loss, **tight)
    torch.testing.assert_close(there.gradient * scale, here.gradient, **tight)
    vectors = torch.randn(weights.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close((there @ vectors) * scale**2, here @ vectors, **tight)
    assert (here.gradient * weights).sum(1).abs().max().item() < 1e-10 * here.gradient.norm().item()
    torch.testing.assert_close(here @ weights, -here.gradient, **tight)


def test_the_plain_network_is_not_invariant() -> None:
    network = small(normalised=False)
    weights, head = network.initial(streams(0))
    difference = network.outputs(2 * weights, head, IMAGES) - network.outputs(weights, head, IMAGES)
    assert difference.abs().max().item() > 1e-4


@pytest.mark.parametrize("name", NETWORKS)
def test_with_reference_images_each_other_image_is_treated_as_if_it_came_singly(name: str) -> None:
    network, images = NETWORKS[name]
    weights, head = network.initial(streams(0, 1))
    training, whole = network.outputs(weights, head, images[:4]), network.outputs(weights, head, images, 4)
    torch.testing.assert_close(whole[:, :4], training)
    alone = network.outputs(weights, head, images[[0, 1, 2, 3, 6]], 4)
    torch.testing.assert_close(whole[:, 6], alone[:, 4])


def test_normalised_values_have_mean_zero_and_variance_one_over_the_axes_named() -> None:
    values = torch.from_numpy(np.random.default_rng(0).normal(3, 2, (6, 4, 5, 5)))
    found = normalise(values, (0, 2, 3))
    assert found.mean((0, 2, 3)).abs().max().item() < 1e-12
    torch.testing.assert_close(found.square().mean((0, 2, 3)), torch.ones(4, dtype=torch.float64))
    assert not normalise(torch.ones(6, 4), (0,)).isfinite().any()


def test_the_perceptron_is_that_of_torch_nn_and_starts_with_its_law() -> None:
    network = NormalisedPerceptron((192, 8, 6, 5))
    assert network.size == 192 * 8 + 8 * 6
    weights, head = network.initial(streams(0, 1))
    assert weights[:, : 192 * 8].abs().max().item() == pytest.approx(192**-0.5, rel=0.01)
    assert weights[:, 192 * 8 :].abs().max().item() <= 8**-0.5
    assert head.shape == (2, 5, 6)
    norm = [nn.BatchNorm1d(width, eps=1e-30, affine=False, track_running_stats=False) for width in (8, 6)]
    for run in range(2):
        first, second = weights[run, : 192 * 8].view(8, 192), weights[run, 192 * 8 :].view(6, 8)
        values = nn.functional.softplus(norm[0](IMAGES.flatten(1) @ first.T))
        values = nn.functional.softplus(norm[1](values @ second.T))
        found = network.outputs(weights, head, IMAGES)[run]
        torch.testing.assert_close(found, values @ head[run].T, rtol=1e-11, atol=1e-13)
