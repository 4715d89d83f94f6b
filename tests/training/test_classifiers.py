"""Training side by side is torch's SGD, seed by seed; divergence stays with its seed, and tests are of all images."""

import torch

from resodectl.experiment.context import stream
from resodectl.numerics.descent import sgd
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.networks.mlp import Mlp
from resodectl.numerics.networks.network import Params, Solver
from resodectl.numerics.networks.tiny import TinyConv
from resodectl.numerics.ode.schemes import EULER
from resodectl.training.classifiers import evaluate, gradients, losses
from resodectl.training.epochs import batches
from resodectl.training.images import Images

NETWORK = Mlp(inputs=16, classes=4, depth=3)
CONSTANTS = sgd.Constants(momentum=0.9, weight_decay=5e-4)


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
            sgd.step(list(params.values()), slopes, momenta, sgd.stepped_rate(0.1, [2], 0.1, epoch), CONSTANTS)


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


def test_evaluation_does_not_depend_on_how_the_test_set_is_cut() -> None:
    network = TinyConv((1, 8, 8), 4, 2, channels=4, stem=(3, 1, 1))
    params = network.initial(lambda name: streams(name), TensorPlace())
    params["residual.bn2.weight"] += 1
    images = data(40, 8)
    whole, cut = (evaluate(network, params, images, images.inputs[:16], Solver(EULER), size) for size in (40, 7))
    torch.testing.assert_close(whole, cut)
