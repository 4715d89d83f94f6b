"""Networks of basic blocks are the modules of torch, seed by seed."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from resodectl.experiment.context import stream
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.networks.basic import Basic
from resodectl.numerics.networks.network import Params, Solver
from resodectl.numerics.ode.schemes import EULER


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def fresh(network: Basic, seeds: tuple[int, ...] = (0, 1)) -> Params:
    return network.initial(lambda name: [stream(seed, name) for seed in seeds], TensorPlace())


def plain(network: Basic, params: Params, images: torch.Tensor, seed: int) -> torch.Tensor:
    """The logits of one seed, written down as the blocks read."""
    own = {name: value[seed] for name, value in params.items()}
    x = F.relu(F.conv2d(images, own["stem"], padding=1))
    for k, (*_, stride) in enumerate(network.shapes()):
        inner = F.relu(F.conv2d(x, own[f"A.{k}"], stride=stride, padding=1))
        shortcut = F.conv2d(x, own[f"shortcut.{k}"], stride=stride) if f"shortcut.{k}" in own else x
        x = F.relu(F.conv2d(inner, own[f"Delta.{k}"], padding=1) + shortcut)
    return F.linear(x.mean((2, 3)), own["head.weight"], own["head.bias"])


@pytest.mark.parametrize("doubling", [True, False])
def test_the_networks_side_by_side_are_those_of_each_seed(doubling: bool) -> None:
    network = Basic(3, 10, (2, 3, 1, 2), width=4, doubling=doubling)
    params, images = fresh(network), draw(2, 5, 3, 8, 8)
    logits = network.logits(params, images, Solver(EULER))
    for seed in range(2):
        torch.testing.assert_close(logits[seed], plain(network, params, images[seed], seed), rtol=1e-10, atol=1e-12)


def test_the_paper_s_network_has_the_known_shapes_and_size() -> None:
    network = Basic(3, 10, (2, 2, 2, 2))
    assert [shape[1:] for shape in network.shapes()] == [
        (64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2),
        (512, 512, 1),
    ]  # fmt: skip
    params = fresh(network, (0,))
    # 9 (3 64 + 4 64^2 + 64 128 + 3 128^2 + 128 256 + 3 256^2 + 256 512 + 3 512^2), shortcuts and the linear layer
    convolutions = 9 * (3 * 64 + 4 * 64**2 + 64 * 128 + 3 * 128**2 + 128 * 256 + 3 * 256**2 + 256 * 512 + 3 * 512**2)
    shortcuts, head = 64 * 128 + 128 * 256 + 256 * 512, 512 * 10 + 10
    assert sum(value.numel() for value in params.values()) == convolutions + shortcuts + head
    assert not any("bias" in name for name in params if not name.startswith("head"))


def test_weights_start_within_one_over_the_root_of_the_fan_in() -> None:
    params = fresh(Basic(3, 10, (3, 3, 1, 1), width=8))
    for name, value in params.items():
        if value.dim() == 5:
            bound = value[0, 0].numel() ** -0.5
            assert 0.8 * bound < value.abs().max() <= bound, name


def test_equal_blocks_start_alike_where_their_shapes_allow() -> None:
    params = fresh(Basic(3, 10, (3, 3, 1, 1), width=4, equal=True))
    assert torch.equal(params["A.0"], params["A.2"])
    assert torch.equal(params["Delta.3"], params["Delta.5"])
    assert torch.equal(params["A.4"], params["A.5"])
    assert params["A.3"].shape != params["A.4"].shape  # the block that doubles the channels
    assert not torch.equal(params["A.2"][:, :, :4], params["Delta.2"])
    other = fresh(Basic(3, 10, (3, 3, 1, 1), width=4))
    assert not torch.equal(other["A.0"], other["A.2"])
