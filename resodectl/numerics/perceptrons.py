"""Fully connected networks of several runs on flat weights `(runs, size)`: loss, gradient and Hessian by hand.

For perceptrons the mean squared error is differentiated without autograd: backpropagation, and Pearlmutter's forward
derivative of it for products with the Hessian (Neural Computation 6, 1994), as batched matrix products over runs.
With a_0 = x, z_l = W_l a_{l-1} + b_l, a_l = act(z_l), and d_l the derivative of the loss by z_l: a direction V moves
z_l by Rz_l = W_l Ra_{l-1} + V_l a_{l-1} and d_l by Rd_l = act'(z_l) (W^T Rd + V^T d)_{l+1} + act''(z_l) (W^T d)_{l+1}
Rz_l. Per product this saves the graph that double backward walks through: it is what `curvature.Hessian` computes.
"""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch

from resodectl.numerics.draws import Streams, normal, uniform

Derivatives = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor, Callable[[], torch.Tensor]]]
"""z -> act(z), act'(z), and act''(z) on demand, for only products with the Hessian need it."""


def tanh(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, Callable[[], torch.Tensor]]:
    """The hyperbolic tangent and its derivatives."""
    value = torch.tanh(z)
    slope = 1 - value * value
    return value, slope, lambda: -2 * value * slope


def gelu(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, Callable[[], torch.Tensor]]:
    """z Phi(z), Phi the normal distribution function, and its derivatives."""
    below, density = torch.special.ndtr(z), torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return z * below, below + z * density, lambda: (2 - z * z) * density


@dataclass(frozen=True)
class Perceptron:
    """The network x -> W_L act(... act(W_1 x + b_1)) + b_L; a run's weights are W_1, b_1, W_2, ..., each row by row."""

    widths: tuple[int, ...]  # of the input, the hidden layers and the output
    activation: Derivatives = tanh
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
            values = self.activation(_affine(values, *layer))[0]
        return _affine(values, *last)

    def jacobian(self, weights: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """The derivatives of all outputs by the weights of their run, `(runs, n outputs, size)`, input by input.

        An output depends on its own input alone, which backpropagation of all n outputs at once would not use.
        """
        values, slopes = [inputs.expand(len(weights), -1, -1)], []
        layers = self.layers(weights)
        for layer in layers[:-1]:
            value, slope, _ = self.activation(_affine(values[-1], *layer))
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


class MeanSquareHessian:
    """Loss, gradient and Hessian (an `Operator`) of factor / n sum_i |f(x_i) - y_i|^2 for every run.

    Args:
        weights: `(runs, size)`.
        inputs, targets: `(n, inputs)` and `(n, outputs)`, the same for all runs.
        factor: 1/2 in Cohen et al. 2021 (arXiv 2103.00065), 1 in Arora, Li & Panigrahi 2022 (arXiv 2205.09745).
    """

    def __init__(
        self, network: Perceptron, weights: torch.Tensor, inputs: torch.Tensor, targets: torch.Tensor, factor: float
    ) -> None:
        self._network, self._weights, self._layers = network, weights, network.layers(weights)
        self._scale = 2 * factor / len(inputs)
        self._values = [inputs.expand(len(weights), -1, -1)]
        self._slopes: list[torch.Tensor] = []
        seconds: list[Callable[[], torch.Tensor]] = []
        for layer in self._layers[:-1]:
            value, slope, second = network.activation(_affine(self._values[-1], *layer))
            self._values.append(value)
            self._slopes.append(slope)
            seconds.append(second)
        self.outputs = _affine(self._values[-1], *self._layers[-1])
        residuals = self.outputs - targets
        self.loss = residuals.square().sum((1, 2)) * (self._scale / 2)
        deltas = [self._scale * residuals]
        above: list[torch.Tensor] = []  # (W^T d)_{l+1}
        for (matrix, _), slope in zip(self._layers[:0:-1], self._slopes[::-1], strict=True):
            above.insert(0, torch.bmm(deltas[0], matrix))
            deltas.insert(0, above[0] * slope)
        self._deltas = deltas
        self._seconds, self._above = seconds, above
        parts = [torch.bmm(d.transpose(1, 2), a) for d, a in zip(deltas, self._values, strict=True)]
        self.gradient = self._flat(parts, deltas)

    @cached_property
    def _bends(self) -> list[torch.Tensor]:
        """act''(z_l) (W^T d)_{l+1}, which the gradient does without."""
        return [second() * above for second, above in zip(self._seconds, self._above, strict=True)]

    def __matmul__(self, vectors: torch.Tensor) -> torch.Tensor:
        """The Hessian of every run times its vector, `(runs, size)`, or a block `(vectors, runs, size)`."""
        return torch.vmap(self._product)(vectors) if vectors.dim() == 3 else self._product(vectors)

    def narrowed(self, chosen: torch.Tensor) -> "MeanSquareHessian":
        """The same of the runs with these indices."""
        part = copy.copy(self)
        part.loss, part.gradient, part._weights = self.loss[chosen], self.gradient[chosen], self._weights[chosen]
        part._layers = self._network.layers(part._weights)
        part._values = [self._values[0][: len(chosen)], *(value[chosen] for value in self._values[1:])]
        part._slopes, part._deltas, part._bends = (
            [of_layer[chosen] for of_layer in tensors] for tensors in (self._slopes, self._deltas, self._bends)
        )
        return part

    def _product(self, vectors: torch.Tensor) -> torch.Tensor:
        moves = self._network.layers(vectors)
        heights: list[torch.Tensor] = []  # Rz_l
        values: list[torch.Tensor] = []  # Ra_l
        for level, (move, layer) in enumerate(zip(moves, self._layers, strict=True)):
            height = _affine(self._values[level], *move)
            if level:
                height = torch.baddbmm(height, values[-1], layer[0].transpose(1, 2))
            heights.append(height)
            if level < len(self._slopes):
                values.append(self._slopes[level] * height)
        delta = self._scale * heights[-1]
        deltas, parts = [delta], [torch.bmm(delta.transpose(1, 2), self._values[-1])]
        for level in range(len(self._slopes), 0, -1):
            parts[0] = torch.baddbmm(parts[0], self._deltas[level].transpose(1, 2), values[level - 1])
            above = torch.baddbmm(torch.bmm(delta, self._layers[level][0]), self._deltas[level], moves[level][0])
            delta = above * self._slopes[level - 1] + self._bends[level - 1] * heights[level - 1]
            deltas.insert(0, delta)
            parts.insert(0, torch.bmm(delta.transpose(1, 2), self._values[level - 1]))
        return self._flat(parts, deltas)

    def _flat(self, matrices: Sequence[torch.Tensor], deltas: Sequence[torch.Tensor]) -> torch.Tensor:
        flat = [part for m, d in zip(matrices, deltas, strict=True) for part in (m.flatten(1), d.sum(1))]
        return torch.cat(flat if self._network.output_bias else flat[:-1], 1)


def _affine(values: torch.Tensor, matrix: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
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
