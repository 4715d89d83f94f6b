"""Training side by side is torch's SGD, seed by seed, and resumes and augments as it should."""

import numpy as np
import pytest
import torch

from resodectl.experiment.context import stream
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.networks.mlp import Mlp
from resodectl.numerics.networks.network import Params, Solver
from resodectl.numerics.networks.tiny import TinyConv
from resodectl.numerics.ode.schemes import EULER
from resodectl.training.classifiers import (
    PADDING,
    Descent,
    Images,
    batches,
    cosine_rate,
    crop_and_flip,
    descend,
    evaluate,
    gradients,
    losses,
    stepped_rate,
)

NETWORK = Mlp(inputs=16, classes=4, depth=3)
DESCENT = Descent(momentum=0.9, weight_decay=5e-4)


def streams(*labels, seeds=(0, 1, 2)):
    return [stream(seed, *labels) for seed in seeds]


def data(n: int = 40, side: int = 4) -> Images:
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(n, 1, side, side, generator=draw, dtype=torch.float64)
    return Images(inputs, torch.randint(0, 4, (n,), generator=draw))


def trained(params: Params, epochs: range, momenta: list[torch.Tensor]) -> None:
    images, names = data(), list(params)
    for epoch in epochs:
        for chosen in batches(streams("order", epoch), len(images.classes), 16, "cpu"):
            inputs, classes = images.inputs[chosen], images.classes[chosen]
            _, slopes = gradients(NETWORK, params, names, inputs, classes, Solver(EULER))
            descend(list(params.values()), slopes, momenta, stepped_rate(0.1, [2], 0.1, epoch), DESCENT)


def fresh() -> tuple[Params, list[torch.Tensor]]:
    params = NETWORK.initial(lambda name: streams(name), TensorPlace())
    return params, [torch.zeros_like(value) for value in params.values()]


def test_descent_side_by_side_is_torch_sgd_for_every_seed() -> None:
    params, momenta = fresh()
    trained(params, range(3), momenta)
    images = data()
    for seed in range(3):
        own = {
            name: (value[:, seed : seed + 1] if "residual" in name else value[seed : seed + 1]).clone()
            for name, value in fresh()[0].items()
        }
        leaves = {name: value.requires_grad_() for name, value in own.items()}
        sgd = torch.optim.SGD(leaves.values(), lr=0.1, momentum=0.9, weight_decay=5e-4)
        for epoch in range(3):
            sgd.param_groups[0]["lr"] = 0.1 if epoch < 2 else 0.01
            for chosen in batches(streams("order", epoch, seeds=(seed,)), len(images.classes), 16, "cpu"):
                sgd.zero_grad()
                losses(
                    NETWORK.logits(leaves, images.inputs[chosen], Solver(EULER)), images.classes[chosen]
                ).sum().backward()
                sgd.step()
        for name, value in params.items():
            found = value[:, seed : seed + 1] if "residual" in name else value[seed : seed + 1]
            torch.testing.assert_close(found, leaves[name].detach(), rtol=1e-10, atol=1e-12)


def test_training_resumed_after_an_epoch_is_training_undisturbed() -> None:
    whole, momenta = fresh()
    trained(whole, range(4), momenta)
    parts, momenta = fresh()
    trained(parts, range(2), momenta)
    trained(parts, range(2, 4), momenta)
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_a_diverging_seed_leaves_the_others_alone() -> None:
    whole, momenta = fresh()
    trained(whole, range(2), momenta)
    broken, momenta = fresh()
    broken["stem.weight"][0] = torch.inf
    trained(broken, range(2), momenta)
    for name in whole:
        axis = 1 if "residual" in name else 0
        assert torch.equal(whole[name].narrow(axis, 1, 2), broken[name].narrow(axis, 1, 2))
    images = data()
    loss, error = evaluate(NETWORK, broken, images, images.inputs[:8], Solver(EULER), 16)
    assert not loss[0].isfinite()
    assert error[0] == 100
    assert loss[1:].isfinite().all()
    assert (error[1:] < 100).all()


def test_every_epoch_goes_once_through_the_data_in_an_order_of_its_own() -> None:
    first, again, second = (torch.cat(list(batches(streams("order", epoch), 37, 16, "cpu")), 1) for epoch in (0, 0, 1))
    assert torch.equal(first.sort(1).values, torch.arange(37).expand(3, -1))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])


def test_rates_fall_at_milestones_or_as_a_cosine() -> None:
    assert [stepped_rate(0.1, [1, 3], 0.1, epoch) for epoch in range(4)] == pytest.approx([0.1, 0.01, 0.01, 0.001])
    assert [cosine_rate(0.1, 4, epoch) for epoch in range(4)] == pytest.approx(
        [0.1 * (1 + np.cos(np.pi * epoch / 4)) / 2 for epoch in range(4)]
    )


def test_crop_and_flip_shifts_by_up_to_four_pixels_and_mirrors() -> None:
    image = torch.arange(1.0, 65).view(1, 1, 1, 8, 8)
    images, chosen = image.expand(2, 50, 1, 8, 8), torch.arange(50).expand(2, 50)
    augmented = crop_and_flip(streams("augment", 0, seeds=(4, 9)), 50, "cpu")(images, chosen)
    padded = torch.nn.functional.pad(image[0, 0, 0], [PADDING] * 4)
    crops = {
        tuple(side.flatten().tolist())
        for down in range(2 * PADDING + 1)
        for right in range(2 * PADDING + 1)
        for crop in [padded[down : down + 8, right : right + 8]]
        for side in (crop, crop.flip(1))
    }
    found = [tuple(one.flatten().tolist()) for one in augmented.flatten(0, 1)]
    assert set(found) <= crops
    assert len(set(found)) > 70
    assert found[:50] != found[50:]


def test_an_image_is_augmented_the_same_wherever_it_stands_in_the_epoch() -> None:
    images = torch.randn(2, 10, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    chosen = torch.from_numpy(np.stack([stream.permutation(10) for stream in streams("order", seeds=(0, 1))]))
    augment = crop_and_flip(streams("augment", seeds=(0, 1)), 10, "cpu")
    inorder = augment(images, torch.arange(10).expand(2, -1))
    shuffled = augment(images[torch.arange(2)[:, None], chosen], chosen)
    assert torch.equal(shuffled, inorder[torch.arange(2)[:, None], chosen])


def test_evaluation_does_not_depend_on_how_the_test_set_is_cut() -> None:
    network = TinyConv((1, 8, 8), 4, 2, channels=4, stem=(3, 1, 1))
    params = network.initial(lambda name: streams(name), TensorPlace())
    params["residual.bn2.weight"] += 1
    images = data(40, 8)
    whole, cut = (evaluate(network, params, images, images.inputs[:16], Solver(EULER), size) for size in (40, 7))
    torch.testing.assert_close(whole, cut)
