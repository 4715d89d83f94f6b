"""Networks that run side by side are the networks of torch.nn, one for each seed."""

import pytest
import torch
from torch import nn

from resodectl.experiment.context import stream
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.networks import tiny as networks_tiny
from resodectl.numerics.networks.bottleneck import Bottleneck
from resodectl.numerics.networks.mlp import Mlp
from resodectl.numerics.networks.network import Network, Params, Solver, untied
from resodectl.numerics.networks.tiny import TinyConv
from resodectl.numerics.ode.schemes import EULER, HEUN, SCHEMES
from resodectl.numerics.weights.depth import weights
from resodectl.training.classifiers import gradients, losses

SEEDS = (3, 5, 8)
TINY = TinyConv(shape=(3, 32, 32), classes=10, depth=3, channels=4)
NETWORKS = {
    "mlp": Mlp(inputs=3 * 16 * 16, classes=10, depth=3),
    "mlp tied": Mlp(inputs=3 * 16 * 16, classes=10, depth=3, tied=True),
    "tiny": TINY,
    "tiny for digits": TinyConv((3, 16, 16), 10, 3, channels=4, stem=(3, 1, 1), stem_norm=False),
    "bottleneck": Bottleneck(channels=3, classes=10, residuals=(2, 3), width=4),
    "bottleneck tied": Bottleneck(channels=3, classes=10, residuals=(2, 3), width=4, tied=True),
}


def fresh(network: Network, seeds=SEEDS) -> Params:
    return network.initial(lambda name: [stream(seed, name) for seed in seeds], TensorPlace())


def shaken(params: Params) -> Params:
    """Away from the start, where many tensors are zero or one."""
    draw = torch.Generator().manual_seed(0)
    noise = (torch.randn(value.shape, generator=draw, dtype=value.dtype) for value in params.values())
    return {name: value + 0.3 * part for (name, value), part in zip(params.items(), noise, strict=True)}


def images_for(network: Network, batch: int = 6, seeds: int = len(SEEDS)) -> torch.Tensor:
    side = 32 if network is TINY else 16
    return torch.randn(seeds, batch, 3, side, side, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


class Loop(nn.Module):
    """The network of one seed, built of torch.nn layers and run in training mode."""

    def __init__(self, network: Network, params: Params, seed: int) -> None:
        super().__init__()
        self.network = network
        self.leaves: dict[str, list[torch.Tensor]] = {}
        for name, value in params.items():
            parts = [layer[seed] for layer in value] if "residual" in name else [value[seed]]
            self.leaves[name] = [part.clone().requires_grad_() for part in parts]

    def layer(self, kind: nn.Module, name: str, index: int = 0) -> nn.Module:
        """The torch.nn layer with the weights `name` of residual layer `index` (the shared one if tied)."""
        for key in ("weight", "bias"):
            if getattr(kind, key, None) is not None:
                leaves = self.leaves[f"{name}.{key}"]
                delattr(kind, key)
                setattr(kind, key, leaves[index % len(leaves)])
        return kind

    def conv(
        self, x: torch.Tensor, name: str, index: int = 0, stride: int = 1, padding: int | None = None
    ) -> torch.Tensor:
        weight = self.leaves[f"{name}.weight"][0]
        padding = weight.shape[-1] // 2 if padding is None else padding
        bias = f"{name}.bias" in self.leaves
        kind = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[-1], stride, padding, bias=bias)
        return self.layer(kind, name, index)(x)

    def norm(self, x: torch.Tensor, name: str, index: int = 0) -> torch.Tensor:
        return self.layer(nn.BatchNorm2d(x.shape[1], dtype=x.dtype), name, index)(x)

    def linear(self, x: torch.Tensor, name: str, index: int = 0) -> torch.Tensor:
        return self.layer(nn.Linear(1, 1), name, index)(x)

    def residual(self, x: torch.Tensor, prefix: str, n: int) -> torch.Tensor:
        if isinstance(self.network, Mlp):
            return self.linear(torch.tanh(self.linear(x, f"{prefix}first", n)), f"{prefix}second", n)
        if isinstance(self.network, TinyConv):
            x = torch.relu(self.norm(self.conv(x, f"{prefix}conv1", n), f"{prefix}bn1", n))
            return self.norm(self.conv(x, f"{prefix}conv2", n), f"{prefix}bn2", n)
        for part in (1, 2, 3):
            x = self.norm(self.conv(torch.relu(x), f"{prefix}conv{part}", n), f"{prefix}bn{part}", n)
        return x

    def stage(self, x: torch.Tensor, prefix: str, depth: int, scheme: str) -> torch.Tensor:
        for n in range(depth - (scheme == "heun")):
            slope = self.residual(x, prefix, n) / depth
            if scheme == "heun":
                slope = (slope + self.residual(x + slope, prefix, n + 1) / depth) / 2
            x = x + slope
        return x

    def block(self, x: torch.Tensor, name: str, stride: int) -> torch.Tensor:
        y = torch.relu(self.norm(self.conv(x, f"{name}.conv1"), f"{name}.bn1"))
        y = torch.relu(self.norm(self.conv(y, f"{name}.conv2", stride=stride), f"{name}.bn2"))
        y = self.norm(self.conv(y, f"{name}.conv3"), f"{name}.bn3")
        return torch.relu(y + self.norm(self.conv(x, f"{name}.shortcut.conv", stride=stride), f"{name}.shortcut.bn"))

    def forward(self, x: torch.Tensor, scheme: str) -> torch.Tensor:
        network = self.network
        if isinstance(network, Mlp):
            x = torch.relu(self.linear(x.flatten(1), "stem"))
            return self.linear(self.stage(x, "residual.", network.depth, scheme), "head")
        if isinstance(network, TinyConv):
            x = self.conv(x, "stem", stride=network.stem[1], padding=network.stem[2])
            x = torch.relu(self.norm(x, "stem.bn") if network.stem_norm else x)
            x = self.stage(x, "residual.", network.depth, scheme)
            return self.linear(nn.AvgPool2d(4)(x).flatten(1), "head")
        x = torch.relu(self.norm(self.conv(x, "stem.conv"), "stem.bn"))
        for index, depth in enumerate(network.residuals, start=1):
            x = self.block(x, f"stage{index}.block", 1 if index == 1 else 2)
            x = torch.relu(self.stage(x, f"stage{index}.residual.", depth, scheme))
        return self.linear(x.mean((2, 3)), "head")


@pytest.mark.parametrize("scheme", ["euler", "heun"])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_side_by_side_are_a_loop_of_torch_modules(name: str, scheme: str) -> None:
    network = NETWORKS[name]
    params, images = shaken(fresh(network)), images_for(network)
    classes = torch.randint(0, 10, images.shape[:2], generator=torch.Generator().manual_seed(2))
    solver = Solver(SCHEMES[scheme])
    logits = network.logits(params, images, solver)
    _, slopes = gradients(network, params, list(params), images, classes, solver)
    for seed in range(len(SEEDS)):
        loop = Loop(network, params, seed)
        expected = loop(images[seed], scheme)
        torch.testing.assert_close(logits[seed], expected, rtol=1e-12, atol=1e-12)
        nn.functional.cross_entropy(expected, classes[seed]).backward()
        for key, slope in zip(params, slopes, strict=True):
            for index, leaf in enumerate(loop.leaves[key]):
                found = slope[index, seed] if "residual" in key else slope[seed]
                torch.testing.assert_close(found, leaf.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_seed_knows_nothing_of_the_others(name: str) -> None:
    network = NETWORKS[name]
    alone, together = fresh(network, SEEDS[1:2]), fresh(network)
    for key, value in together.items():
        axis = 1 if "residual" in key else 0
        assert torch.equal(value.narrow(axis, 1, 1), alone[key])
    images, solver = images_for(network), Solver(EULER)
    logits = network.logits(together, images, solver)
    torch.testing.assert_close(logits[1:2], network.logits(alone, images[1:2], solver), rtol=1e-12, atol=1e-12)
    images[0] = torch.nan
    torch.testing.assert_close(logits[1:], network.logits(together, images, solver)[1:], rtol=1e-12, atol=1e-12)


def test_networks_of_all_depths_share_their_first_layers() -> None:
    for shallow, deep in (
        (Mlp(64, 10, 2), Mlp(64, 10, 7)),
        (TinyConv((3, 32, 32), 10, 2), TinyConv((3, 32, 32), 10, 7)),
        (Bottleneck(1, 10, (2, 2), width=2), Bottleneck(1, 10, (7, 7), width=2)),
    ):
        for (key, first), (_, second) in zip(fresh(shallow).items(), fresh(deep).items(), strict=True):
            assert torch.equal(first, second[:2] if "residual" in key else second)


def test_initial_variances_are_those_of_the_paper() -> None:
    mlp, bottleneck, tiny = (
        fresh(network) for network in (Mlp(64, 10, 64), Bottleneck(3, 10, (4,)), TinyConv((3, 32, 32), 10, 9))
    )
    assert mlp["residual.first.weight"].var().item() == pytest.approx(9 / 16, rel=0.02)
    assert mlp["residual.second.weight"].var().item() == pytest.approx(9 / 32, rel=0.02)
    assert bottleneck["stage1.residual.conv2.weight"].var().item() == pytest.approx(2 / (9 * 64), rel=0.02)
    assert bottleneck["stage1.block.conv3.weight"].var().item() == pytest.approx(2 / 256, rel=0.02)
    assert tiny["residual.conv1.weight"].abs().max().item() <= 1 / 12
    assert tiny["residual.bn2.weight"].abs().max().item() == 0
    assert tiny["head.weight"].shape == (len(SEEDS), 10, 64)


def test_the_paper_s_resnet_101_has_its_size() -> None:
    params = fresh(Bottleneck(3, 10, (2, 3, 22, 2)), seeds=(0,))
    assert (
        sum(value.numel() for value in params.values()) == 42_512_970
    )  # torchvision's ResNet-101, CIFAR stem and head


@pytest.mark.parametrize("scheme", ["euler", "heun"])
@pytest.mark.parametrize("network", [TINY, NETWORKS["tiny for digits"]], ids=["cifar", "digits"])
def test_where_the_inverse_is_exact_so_is_the_adjoint_through_batch_norm(network: TinyConv, scheme: str) -> None:
    """At the start all residuals are zero, yet gradients are not: a BN of other statistics backward would show."""
    params, images = fresh(network), images_for(network)
    classes = torch.zeros(images.shape[:2], dtype=torch.int64)
    found = [
        gradients(network, params, list(params), images, classes, Solver(SCHEMES[scheme], gradient))[1]
        for gradient in ("backprop", "adjoint")
    ]
    assert found[0][list(params).index("residual.bn2.weight")].abs().min() > 0
    for exact, adjoint in zip(*found, strict=True):
        torch.testing.assert_close(exact, adjoint, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["tiny", "bottleneck"])
def test_passes_leave_no_trace_in_the_parameters(name: str) -> None:
    network = NETWORKS[name]
    params, images = shaken(fresh(network)), images_for(network)
    kept = {key: value.clone() for key, value in params.items()}
    classes = torch.zeros(images.shape[:2], dtype=torch.int64)
    first, second = (
        gradients(network, params, list(params), images, classes, Solver(EULER, "adjoint"))[1] for _ in range(2)
    )
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(torch.equal(params[key], kept[key]) for key in params)


@pytest.mark.parametrize("name", ["mlp", "tiny", "bottleneck"])
def test_with_a_reference_batch_each_image_is_treated_as_if_alone(name: str) -> None:
    network, solver = NETWORKS[name], Solver(HEUN)
    params, images = shaken(fresh(network)), images_for(network, batch=9)
    both = network.logits(params, images, solver, reference=5)
    trained = network.logits(params, images[:, :5], solver)
    torch.testing.assert_close(both[:, :5], trained, rtol=1e-12, atol=1e-12)
    for image in range(5, 9):
        single = torch.cat([images[:, :5], images[:, image : image + 1]], 1)
        torch.testing.assert_close(
            network.logits(params, single, solver, 5)[:, 5], both[:, image], rtol=1e-10, atol=1e-12
        )


def smooth_tiny(depth: int) -> tuple[TinyConv, Params]:
    """A network whose convolutions vary smoothly with depth."""
    network = TinyConv((3, 16, 16), 10, depth, channels=4, stem=(3, 1, 1), stem_norm=False)
    params = fresh(network)
    for name in networks_tiny.NAMES:
        if name.endswith(("conv1.weight", "conv2.weight")):
            params[name] = (
                weights("smooth", [stream(seed, name) for seed in SEEDS], depth, (4, 4, 3, 3)) * (2 / 36) ** 0.5
            )
        elif name.endswith("bn2.weight"):
            params[name] = torch.ones_like(params[name])
    return network, params


@pytest.mark.parametrize("scheme", ["euler", "heun"])
def test_the_adjoint_nears_backpropagation_with_depth(scheme: str) -> None:
    distances = []
    for depth in (4, 16, 64):
        network, params = smooth_tiny(depth)
        images = images_for(network)
        classes = torch.zeros(images.shape[:2], dtype=torch.int64)
        exact, adjoint = (
            gradients(network, params, ["stem.weight"], images, classes, Solver(SCHEMES[scheme], gradient))[1][0]
            for gradient in ("backprop", "adjoint")
        )
        distances.append(((adjoint - exact).norm() / exact.norm()).item())
    assert distances[0] > 2 * distances[1] > 4 * distances[2]


def test_stages_of_few_residuals_are_backpropagated_where_the_adjoint_starts_later() -> None:
    few, images = Bottleneck(3, 10, (2, 3), width=2, adjoint_from=3), images_for(NETWORKS["bottleneck"])
    params, classes = shaken(fresh(few)), torch.zeros(images.shape[:2], dtype=torch.int64)

    def slopes(network: Bottleneck, gradient: str) -> dict[str, torch.Tensor]:
        solver = Solver(EULER, gradient)
        return dict(zip(params, gradients(network, params, list(params), images, classes, solver)[1], strict=True))

    exact, partly = slopes(few, "backprop"), slopes(few, "adjoint")
    none = slopes(Bottleneck(3, 10, (2, 3), width=2, adjoint_from=4), "adjoint")
    assert all(torch.equal(exact[key], none[key]) for key in params)
    assert torch.equal(exact["head.weight"], partly["head.weight"])
    assert not torch.allclose(exact["stage2.residual.conv1.weight"], partly["stage2.residual.conv1.weight"], rtol=1e-3)


@pytest.mark.parametrize("gradient", ["backprop", "adjoint"])
def test_untying_changes_neither_the_function_nor_the_sum_of_the_gradients(gradient: str) -> None:
    network = Bottleneck(3, 10, (2, 3), width=2, tied=True)
    params, images = shaken(fresh(network)), images_for(network)
    copies = untied(params, "stage2.residual.", 3)
    classes, solver = torch.zeros(images.shape[:2], dtype=torch.int64), Solver(EULER, gradient)
    one, many = (gradients(network, p, list(p), images, classes, solver) for p in (params, copies))
    torch.testing.assert_close(one[0], many[0])
    for name, shared, own in zip(params, one[1], many[1], strict=True):
        assert len(copies[name]) == (3 if name.startswith("stage2.residual.") else len(params[name]))
        torch.testing.assert_close(shared, own.sum(0, keepdim=True) if len(own) != len(shared) else own)


def test_losses_are_means_over_the_batch_of_each_seed() -> None:
    logits = torch.zeros(2, 3, 4, dtype=torch.float64)
    logits[1, :, 0] = 100
    classes = torch.zeros(2, 3, dtype=torch.int64)
    torch.testing.assert_close(losses(logits, classes), torch.tensor([4.0, 1.0], dtype=torch.float64).log())


@pytest.mark.parametrize("name", NETWORKS)
def test_an_image_s_logits_depend_on_its_batch_where_a_network_says_so(name: str) -> None:
    network, images = NETWORKS[name], images_for(NETWORKS[name])
    params = shaken(fresh(network))
    whole, half = (network.logits(params, batch, Solver(EULER)) for batch in (images, images[:, :3]))
    assert torch.allclose(whole[:, :3], half) != network.normalised
