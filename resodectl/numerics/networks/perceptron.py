"""Fully connected networks of several runs on flat weights `(runs, size)`: outputs, Jacobians, initial weights."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch

from resodectl.numerics.draws import Streams, normal, uniform
from resodectl.numerics.networks.activations import ACTIVATIONS, Activation


@dataclass(frozen=True)
class Perceptron:
    """The network x -> W_L act(... act(W_1 x + b_1)) + b_L; a run's weights are W_1, b_1, W_2, ..., each row by row.

    >>> Perceptron((3, 4, 2)).shapes
    [(4, 3), (4,), (2, 4), (2,)]
    """

    widths: tuple[int, ...]  # of the input, the hidden layers and the output
    activation: Activation = ACTIVATIONS["tanh"]
    output_bias: bool = True

    @cached_property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of W_1 (outputs, inputs), b_1, W_2, ..."""
        shapes: list[tuple[int, ...]] = [
            shape for inputs, outputs in pairwise(self.widths) for shape in ((outputs, inputs), (outputs,))
        ]
        return shapes if self.output_bias else shapes[:-1]

    @cached_property
    def _counts(self) -> list[int]:
        return [math.prod(shape) for shape in self.shapes]

    @property
    def size(self) -> int:
        """How many weights a run has."""
        return sum(self._counts)

    def layers(self, weights: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
        """Views of `(runs, size)`: W `(runs, outputs, inputs)` and b `(runs, 1, outputs)` of each layer."""
        parts = weights.split(self._counts, dim=1)
        matrices = [part.view(-1, *shape) for part, shape in zip(parts[::2], self.shapes[::2], strict=True)]
        biases: list[torch.Tensor | None] = [part.unsqueeze(1) for part in parts[1::2]]
        return list(zip(matrices, biases if self.output_bias else [*biases, None], strict=True))

    def outputs(self, weights: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Outputs `(runs, n, outputs)` of inputs `(n, inputs)`; autograd differentiates it."""
        values = inputs.expand(len(weights), -1, -1)
        *hidden, last = self.layers(weights)
        for layer in hidden:
            values = self.activation.derivatives(affine(values, *layer)).value
        return affine(values, *last)

    def jacobian(self, weights: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """The derivatives of all outputs by the weights of their run, `(runs, n outputs, size)`, input by input.

        An output depends on one input alone; backpropagation of all n outputs at once would not use that.
        """
        values, slopes = [inputs.expand(len(weights), -1, -1)], []
        layers = self.layers(weights)
        for layer in layers[:-1]:
            value, slope, _ = self.activation.derivatives(affine(values[-1], *layer))
            values.append(value)
            slopes.append(slope)
        runs, count, classes = len(weights), len(inputs), self.widths[-1]
        delta = torch.eye(classes, dtype=weights.dtype, device=weights.device).expand(runs, count, -1, -1)
        parts: list[torch.Tensor] = []
        for level in range(len(layers) - 1, -1, -1):
            matrix = (delta.unsqueeze(4) * values[level][:, :, None, None]).flatten(3)
            parts = [matrix, delta, *parts]
            if level:
                delta = (delta @ layers[level][0].unsqueeze(1)) * slopes[level - 1].unsqueeze(2)
        return torch.cat(parts if self.output_bias else parts[:-1], 3).flatten(1, 2)


def affine(values: torch.Tensor, matrix: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """W a + b for rows a `(runs, n, inputs)`: `(runs, n, outputs)`."""
    if bias is None:
        return torch.bmm(values, matrix.transpose(1, 2))
    return torch.baddbmm(bias, values, matrix.transpose(1, 2))


def torch_default(network: Perceptron, streams: Callable[[str], Streams]) -> torch.Tensor:
    """Weights `(seeds, size)` in float64, uniform within 1/sqrt(inputs of the layer), biases too: torch's default."""
    parts = []
    for index, shape in enumerate(network.shapes):
        level = index // 2
        bound = network.widths[level] ** -0.5
        name = f"{'bias' if index % 2 else 'weight'}{level + 1}"
        parts.append(uniform(streams(name), shape, -bound, bound).flatten(1))
    return torch.cat(parts, 1)


def xavier_normal(network: Perceptron, streams: Callable[[str], Streams], gains: Sequence[float]) -> torch.Tensor:
    """Weights `(seeds, size)` in float64: W_l has entries of deviation gain_l sqrt(2 / (inputs + outputs)), b_l = 0."""
    parts: list[torch.Tensor] = []
    for index, shape in enumerate(network.shapes):
        if index % 2:
            parts.append(torch.zeros(len(parts[0]), *shape, dtype=torch.float64))
        else:
            deviation = gains[index // 2] * math.sqrt(2 / sum(shape))
            parts.append(deviation * normal(streams(f"weight{index // 2 + 1}"), shape).flatten(1))
    return torch.cat(parts, 1)
