"""Training networks with deltas side by side, beside one network at a time with a module for every layer.

Baseline, built here: the way of the usual scripts for Cohen, Cont, Rossier & Xu 2021 (arXiv 2105.12245): torch.nn
modules, automatic differentiation and torch.optim.Adam, one run after the other. Both train the same networks on the
same batches; before anything is timed, all their weights are asserted to agree. Steps are timed, not the construction
of networks, buffers and optimisers.
Run: python benchmarks/scaling/trained_stacks.py
"""

import statistics
import time
from collections.abc import Callable

import torch

from resodectl.experiment.context import stream
from resodectl.families.scaling.vector_pairs import Pairs, ode_pairs
from resodectl.numerics.descent import adam
from resodectl.numerics.draws import TensorPlace, normal
from resodectl.numerics.networks.activations import InPlaceName, in_place
from resodectl.numerics.networks.delta import Passes, Stack
from resodectl.numerics.networks.network import layers_first

torch.set_num_threads(1)
SEEDS, DIM, BATCH, STEPS, LR = 8, 10, 32, 4, 0.01
REPETITIONS = 5


class Network(torch.nn.Module):
    """One network with one module for every layer."""

    def __init__(self, stack: Stack, seed: int, activation: InPlaceName) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(torch.nn.Linear(DIM, DIM, dtype=stack.matrices.dtype) for _ in stack.matrices)
        self.deltas = torch.nn.Parameter(stack.deltas[:, seed].clone())
        self.act = torch.tanh if activation == "tanh" else torch.relu
        with torch.no_grad():
            for k, layer in enumerate(self.layers):
                layer.weight.copy_(stack.matrices[k, seed])
                layer.bias.copy_(stack.biases[k, seed])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for k, layer in enumerate(self.layers):
            step = self.deltas[0].abs() if len(self.deltas) == 1 else self.deltas[k]
            x = x + step * self.act(layer(x))
        return x


def start(depth: int, shared: bool, dtype: torch.dtype) -> Stack:
    streams = {name: [stream(seed, name) for seed in range(SEEDS)] for name in ("A", "b", "delta")}
    matrices = layers_first(normal(streams["A"], (depth, DIM, DIM), dtype)) * 0.1 / depth
    biases = layers_first(normal(streams["b"], (depth, DIM), dtype)) * 0.1 / depth
    drawn = layers_first(normal(streams["delta"], (depth,), dtype)) / depth
    return Stack(matrices, biases, torch.full((1, SEEDS), 1 / depth, dtype=dtype) if shared else drawn)


def side_by_side(own: Stack, pairs: Pairs, activation: InPlaceName) -> Callable[[], None]:
    """The training of a stack in place, ready to go."""
    passes, moments = Passes(own, in_place(activation), BATCH), adam.at_rest(own, (SEEDS,))
    batches = [
        (x.contiguous(), y.contiguous())
        for x, y in zip(pairs.inputs.split(BATCH, 2), pairs.targets.split(BATCH, 2), strict=True)
    ]

    def train() -> None:
        for x, y in batches:
            _, slopes = passes.gradients(x, y)
            adam.step(own, slopes, moments, LR, leading=(1, 1, 1))

    return train


def one_by_one(networks: list[Network], pairs: Pairs) -> Callable[[], None]:
    """The training of networks one after the other, ready to go."""
    optimisers = [torch.optim.Adam(network.parameters(), lr=LR) for network in networks]

    def train() -> None:
        for seed, (network, optimiser) in enumerate(zip(networks, optimisers, strict=True)):
            for x, y in zip(pairs.inputs[seed].T.split(BATCH), pairs.targets[seed].T.split(BATCH), strict=True):
                optimiser.zero_grad()
                torch.nn.functional.mse_loss(network(x), y).backward()
                optimiser.step()

    return train


def same(stack: Stack, networks: list[Network]) -> bool:
    return all(
        torch.allclose(stack.matrices[k, seed], layer.weight, rtol=1e-6, atol=1e-10)
        and torch.allclose(stack.biases[k, seed], layer.bias, rtol=1e-6, atol=1e-10)
        for seed, network in enumerate(networks)
        for k, layer in enumerate(network.layers)
    )


def seconds(job: Callable[[], object]) -> float:
    job()
    times = []
    for _ in range(REPETITIONS):
        begun = time.perf_counter()
        job()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def main() -> None:
    print(f"{STEPS} steps of {SEEDS} networks of width {DIM}, batch {BATCH}, one thread: median of {REPETITIONS}")
    for activation, shared in (("tanh", True), ("relu", False)):
        for depth in (16, 128, 512):
            for dtype in (torch.float64, torch.float32):
                streams = [stream(seed, "pairs") for seed in range(SEEDS)]
                pairs = ode_pairs(streams, STEPS * BATCH, TensorPlace(dtype))
                stack = start(depth, shared, dtype)
                networks = [Network(stack, seed, activation) for seed in range(SEEDS)]
                ours, theirs = side_by_side(stack, pairs, activation), one_by_one(networks, pairs)
                if dtype is torch.float64:
                    ours()
                    theirs()
                    assert same(stack, networks)
                    continue
                fast, slow = seconds(ours), seconds(theirs)
                print(
                    f"{activation:5} depth {depth:4}: {1e3 * slow:8.1f} ms, {1e3 * fast:7.1f} ms: {slow / fast:5.1f} x"
                )


if __name__ == "__main__":
    main()
