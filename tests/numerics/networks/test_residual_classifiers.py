"""Residual classifiers side by side: the gradients by hand against autograd, and against one network at a time."""

import pytest
import torch
import torch.nn.functional as F

from resodectl.numerics.networks.residual_classifiers import (
    ALIGNED,
    Classifiers,
    Tape,
    correct,
    gradients,
    logits,
    unbiased,
)

DEPTH, DIM, PIXELS, CLASSES, BATCH = 5, 4, 6, 3, 7


def some(count: int, biases: bool = False) -> Classifiers:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    networks = unbiased(normal(count, DIM, PIXELS), normal(DEPTH, count, DIM, DIM), normal(count, CLASSES, DIM))
    if biases:
        networks.layers[..., DIM, :DIM] = normal(DEPTH, count, DIM)
    return networks


def data(seeds: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand((seeds, BATCH, PIXELS), generator=generator, dtype=torch.float64)
    return images, torch.randint(CLASSES, (seeds, BATCH), generator=generator)


def plain_logits(networks: Classifiers, scale: float, index: int, images: torch.Tensor) -> torch.Tensor:
    """Of one network, by the formula, `(batch, classes)`."""
    h = images @ networks.stem[index].T
    for k in range(DEPTH):
        layer = networks.layers[k, index]
        h = h + scale * (torch.relu(h) @ layer[:DIM, :DIM] + layer[DIM, :DIM])
    return h @ networks.head[index].T


@pytest.mark.parametrize("biases", [False, True])
def test_gradients_by_hand_are_those_of_autograd_for_each_network_alone(biases: bool) -> None:
    seeds, each = 2, 3
    networks, scales = some(seeds * each, biases), torch.linspace(0.2, 0.9, seeds * each, dtype=torch.float64)
    images, classes = data(seeds)
    tape = Tape(networks, BATCH + 2, biases)
    for _ in range(2):  # what is left on the tape plays no part
        loss, found = gradients(networks, scales, images, classes, tape)
    leaves = Classifiers(*(tensor.requires_grad_() for tensor in networks))
    expected = torch.stack(
        [
            F.cross_entropy(plain_logits(leaves, scales[i].item(), i, images[i // each]), classes[i // each])
            for i in range(seeds * each)
        ]
    )
    torch.testing.assert_close(loss, expected.detach(), rtol=1e-12, atol=1e-12)
    stem, layers, head = torch.autograd.grad(expected.sum(), list(leaves))
    if not biases:
        layers[..., DIM, :] = 0
    for own, exact in zip(found, (stem, layers, head), strict=True):
        torch.testing.assert_close(own, exact, rtol=1e-10, atol=1e-12)
    assert layers.shape[-1] == ALIGNED
    assert not found.layers[..., DIM:].any()
    assert not found.layers[..., DIM + 1 :, :].any()


def test_logits_are_those_of_the_formula() -> None:
    networks, scales = some(4), torch.tensor([0.1, 0.5, 1.0, 2.0], dtype=torch.float64)
    images, _ = data(2)
    found = logits(networks, scales, images)
    for i in range(4):
        expected = plain_logits(networks, scales[i].item(), i, images[i // 2])
        torch.testing.assert_close(found[i].T, expected, rtol=1e-12, atol=1e-12)


def test_the_loss_falls_along_the_gradient_at_the_rate_of_its_square() -> None:
    networks, scales = some(1, biases=True), torch.full((1,), 0.3, dtype=torch.float64)
    loss, slopes = gradients(networks, scales, *data(1), Tape(networks, BATCH, biases=True))
    step = 1e-7
    moved = Classifiers(*(tensor - step * slope for tensor, slope in zip(networks, slopes, strict=True)))
    square = torch.stack([slope.square().sum() for slope in slopes]).sum()
    fall = (loss - gradients(moved, scales, *data(1), Tape(moved, BATCH, biases=True))[0]) / step
    torch.testing.assert_close(fall, square.view(1), rtol=1e-5, atol=0)


def test_a_network_that_overflows_leaves_its_neighbours_alone() -> None:
    networks, scales = some(2), torch.full((2,), 0.5, dtype=torch.float64)
    alone = gradients(networks, scales, *data(1), Tape(networks, BATCH, biases=True))
    networks.layers[:, 1] *= 1e200
    loss, slopes = gradients(networks, scales, *data(1), Tape(networks, BATCH, biases=True))
    assert not loss[1].isfinite()
    assert torch.equal(loss[0], alone[0][0])
    assert torch.equal(slopes.layers[:, 0], alone[1].layers[:, 0])
    assert not correct(logits(networks, scales, data(1)[0]), data(1)[1][0])[1]


def test_answers_are_counted_and_those_that_are_not_finite_are_wrong() -> None:
    found = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[torch.nan, 0.0], [0.0, 1.0]]])
    assert correct(found, torch.tensor([0, 1])).tolist() == [2, 1]
