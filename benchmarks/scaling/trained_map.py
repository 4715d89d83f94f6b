"""The map of trained networks as one program, beside one network at a time as the official scripts train them.

Baseline, written from the paper's setting (Marion, Fermanian, Biau & Vert 2022, arXiv 2206.06929, Figure 9): for each
node of the map and each learning rate the weights are drawn anew, path by path and number by number in Python, and a
chain of modules, one a layer, is trained by torch.optim.Adam on the batches of a DataLoader. Before anything is timed,
both sides train a small map in float64 from the same draws: the same losses, and the same accuracies.
Then, in seconds a network: a step of training, and a whole run with the drawing of its weights.
Run: python benchmarks/scaling/trained_map.py
"""

import math
import statistics
import time
from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context, stream
from resodectl.families.scaling.grids import Grid
from resodectl.families.scaling.trained_map.simulation import simulate
from resodectl.families.scaling.trained_map.spec import Point
from resodectl.numerics.draws import TensorPlace
from resodectl.training.images import Images, train_and_test_images
from resodectl.training.scalings import unscaled
from resodectl.training.settings import AdamTraining

torch.set_num_threads(1)
SMALL = Point(
    data="digits",
    hursts=Grid(first=0.3, last=0.8, count=2),
    betas=Grid(first=0.2, last=0.7, count=2),
    lrs=(1e-3, 1e-2),
    depth=8,
    dim=6,
    training=AdamTraining(epochs=2, batch=128, drop_every=1, drop=0.1),
    dtype="float64",
)
LAPTOP = Point(
    data="mnist-10k",
    hursts=Grid(first=0.1, last=0.9, count=5),
    betas=Grid(first=0.1, last=0.9, count=5),
    lrs=(1e-2,),
    depth=100,
    dim=30,
    training=AdamTraining(epochs=3, batch=128, drop_every=2, drop=0.1),
    dtype="float32",
)


class Node(NamedTuple):
    """A network of the map."""

    hurst: float
    beta: float
    lr: float


class Layer(nn.Module):
    """V relu(h) + b."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.activation = nn.ReLU()
        self.outer = nn.Linear(dim, dim)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        return self.outer(self.activation(h))


class ResNet(nn.Module):
    """A chain of layers, each a module."""

    def __init__(self, pixels: int, dim: int, depth: int, scale: float) -> None:
        super().__init__()
        self.stem = nn.Linear(pixels, dim, bias=False)
        self.layers = nn.ModuleList([Layer(dim) for _ in range(depth)])
        self.head = nn.Linear(dim, 10, bias=False)
        self.scale = scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.stem(x)
        for layer in self.layers:
            h = h + self.scale * layer(h)
        return self.head(h)


def noise_path(generator: np.random.Generator, length: int, hurst: float) -> np.ndarray:
    """One path of fractional Gaussian noise by circulant embedding, a frequency at a time."""
    covariance = [
        (abs(j - 1) ** (2 * hurst) - 2 * j ** (2 * hurst) + (j + 1) ** (2 * hurst)) / 2 for j in range(length + 1)
    ]
    eigenvalues = np.fft.fft(covariance + covariance[-2:0:-1]).real
    first, nyquist = generator.standard_normal(), generator.standard_normal()
    spectrum = np.zeros(2 * length, dtype=complex)
    spectrum[0] = math.sqrt(max(eigenvalues[0], 0.0) * 2 * length) * first
    spectrum[length] = math.sqrt(max(eigenvalues[length], 0.0) * 2 * length) * nyquist
    for k in range(1, length):
        size = math.sqrt(max(eigenvalues[k], 0.0) * length)
        spectrum[k] = size * complex(generator.standard_normal(), generator.standard_normal())
        spectrum[2 * length - k] = spectrum[k].conjugate()
    return np.fft.ifft(spectrum).real[:length]


def drawn(point: Point, node: Node, seed: int, pixels: int) -> ResNet:
    """A network of the map with its weights."""
    network = ResNet(pixels, point.dim, point.depth, point.depth**-node.beta).to(getattr(torch, point.dtype))
    generator = stream(seed, "weights", "layers")
    paths = np.array([noise_path(generator, point.depth, node.hurst) for _ in range(point.dim**2)])
    with torch.no_grad():
        for name, linear in (("stem", network.stem), ("head", network.head)):
            bound = math.sqrt(3 / linear.in_features)
            numbers = 2 * bound * stream(seed, "weights", name).random(tuple(linear.weight.shape)) - bound
            linear.weight.copy_(torch.from_numpy(numbers))
        for k, layer in enumerate(network.layers):
            layer.outer.weight.copy_(torch.from_numpy(paths[:, k].reshape(point.dim, point.dim) / math.sqrt(point.dim)))
            layer.outer.bias.zero_()
    return network


def flat_images(point: Point) -> tuple[Images, Images]:
    """Training and test images as rows of pixels between 0 and 1."""
    place = TensorPlace(getattr(torch, point.dtype))
    train, test = train_and_test_images(point.data, None, place, unscaled)
    return train.flat(), test.flat()


def trained(point: Point, node: Node, seed: int, network: ResNet, data: tuple[Images, Images]) -> tuple[float, float]:
    """The mean loss over the last epoch, and the test accuracy."""
    train, test = data
    optimiser = torch.optim.Adam(network.parameters(), lr=node.lr)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, point.training.drop_every, point.training.drop)
    losses: list[float] = []
    for epoch in range(point.training.epochs):
        order = stream(seed, "order", epoch).permutation(len(train.classes)).tolist()
        losses = []
        for images, classes in DataLoader(TensorDataset(*train), point.training.batch, sampler=order):
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(network(images), classes)
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        schedule.step()
    with torch.no_grad():
        right = network(test.inputs).argmax(1) == test.classes
    return float(np.mean(losses)), float(right.double().mean())


def together(point: Point, seed: int) -> dict[str, np.ndarray]:
    """The whole map as one program."""
    context = Context((seed,), torch.device("cpu"), getattr(torch, point.dtype))
    ((_, columns),) = simulate(Cell("scaling/trained-map", point, (seed,)), context)
    return {name: np.asarray(values) for name, values in columns.items()}


def nodes(point: Point) -> list[Node]:
    return [Node(*node) for node in product(point.hursts.values(), point.betas.values(), point.lrs)]


def assert_equal(point: Point, seed: int = 0) -> None:
    """Both sides train the same networks to the same end."""
    data = flat_images(point)
    rows = together(point, seed)
    for index, node in enumerate(nodes(point)):
        loss, accuracy = trained(point, node, seed, drawn(point, node, seed, data[0].inputs.shape[1]), data)
        np.testing.assert_allclose(rows["train_loss"][index], loss, rtol=1e-9)
        np.testing.assert_allclose(rows["accuracy"][index], accuracy, rtol=1e-12)


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def main() -> None:
    assert_equal(SMALL)
    data = flat_images(LAPTOP)
    everywhere, pixels = nodes(LAPTOP), data[0].inputs.shape[1]
    steps = LAPTOP.training.epochs * -(-len(data[0].classes) // LAPTOP.training.batch)
    noise, training, ours = [], [], []
    for node in (everywhere[4], everywhere[12], everywhere[24]):  # the baseline's time is that of any node
        network = drawn(LAPTOP, node, 0, pixels)
        noise.append(seconds(lambda node=node: drawn(LAPTOP, node, 0, pixels)))
        training.append(seconds(lambda node=node, network=network: trained(LAPTOP, node, 0, network, data)))
        ours.append(seconds(lambda: together(LAPTOP, 0)) / len(everywhere))
    drawing, alone, joint = (statistics.median(times) for times in (noise, training, ours))
    print(
        f"torch {torch.__version__}, one thread: {len(everywhere)} networks, {LAPTOP.depth} layers, {steps} steps each"
    )
    print(f"a step of Adam: {1e3 * alone / steps:.2f} ms for one network alone")
    print(
        f"  at most {1e3 * joint / steps:.2f} ms for one in the map, its weights included: {alone / joint:.1f} x faster"
    )
    print(f"a whole run: {drawing:.2f} s for the weights and {alone:.2f} s for the training of one network alone")
    print(f"  {joint:.3f} s for one in the map: {(drawing + alone) / joint:.1f} x faster")


if __name__ == "__main__":
    main()
