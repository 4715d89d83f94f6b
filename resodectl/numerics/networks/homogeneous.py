"""ReLU networks without biases on flat weights `(runs, size)`: multiplying the weights by c > 0 multiplies the outputs
by c^L, L the number of layers. Two of them: a perceptron, and a convolutional network for images of 28 x 28 pixels.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F

from resodectl.numerics.draws import Streams, uniform
from resodectl.numerics.networks.layers import convolution, rows_of, side_by_side


@dataclass(frozen=True)
class BiaslessPerceptron:
    """x -> W_L relu(... relu(W_1 x)), on images as rows of pixels.

    >>> BiaslessPerceptron((64, 32, 10)).shapes
    [(32, 64), (10, 32)]
    """

    widths: tuple[int, ...]  # of the input, the hidden layers and the output

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of W_1 (outputs, inputs), W_2, ..."""
        return [(outputs, inputs) for inputs, outputs in pairwise(self.widths)]

    def outputs(self, weights: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        """Outputs `(runs, n, classes)` of images `(n, ...)` that all runs share, or `(runs, n, ...)`."""
        shared = images.dim() == 4
        values = images.flatten(1).expand(len(weights), -1, -1) if shared else images.flatten(2)
        *hidden, last = _layers(weights, self.shapes)
        for matrix in hidden:
            values = torch.bmm(values, matrix.transpose(1, 2)).relu()
        return torch.bmm(values, last.transpose(1, 2))


@dataclass(frozen=True)
class BiaslessConvolutional:
    """Convolution 5 x 5 to 32 channels, ReLU, max-pooling by 2; 3 x 3 to 64, ReLU, max-pooling by 2; 1600 - 1024 - 10.

    The network of Wang, Meng, Chen & Liu 2021 (arXiv 2012.06244) for MNIST.

    >>> sum(math.prod(shape) for shape in BiaslessConvolutional().shapes)
    1667872
    """

    channels: tuple[int, int] = (32, 64)
    hidden: int = 1024
    classes: int = 10

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the two kernels and the two matrices; 25 pixels of a channel are left for the latter."""
        first, second = self.channels
        return [(first, 1, 5, 5), (second, first, 3, 3), (self.hidden, 25 * second), (self.classes, self.hidden)]

    def outputs(self, weights: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        """Outputs `(runs, n, classes)` of images `(n, 1, 28, 28)` that all runs share, or `(runs, n, 1, 28, 28)`."""
        runs = len(weights)
        *kernels, matrix, last = _layers(weights, self.shapes)
        maps = images.repeat(1, runs, 1, 1) if images.dim() == 4 else side_by_side(images)
        for kernel in kernels:
            maps = F.max_pool2d(convolution(maps, kernel).relu(), 2)
        values = torch.bmm(rows_of(maps, runs), matrix.transpose(1, 2)).relu()
        return torch.bmm(values, last.transpose(1, 2))


Homogeneous = BiaslessPerceptron | BiaslessConvolutional


def degree(network: Homogeneous) -> int:
    """L: the outputs are L-homogeneous in the weights."""
    return len(network.shapes)


def torch_default(network: Homogeneous, streams: Callable[[str], Streams]) -> torch.Tensor:
    """Weights `(seeds, size)` in float64, uniform within 1/sqrt(inputs of a unit): torch's default."""
    parts = []
    for level, shape in enumerate(network.shapes, start=1):
        bound = math.prod(shape[1:]) ** -0.5
        parts.append(uniform(streams(f"weight{level}"), shape, -bound, bound).flatten(1))
    return torch.cat(parts, 1)


def classification_margins(outputs: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """The output of the right class minus the largest other one, `(runs, n)`, of outputs `(runs, n, classes)`.

    >>> classification_margins(torch.tensor([[[3.0, 1.0, 2.0]]]), torch.tensor([1]))
    tensor([[-2.]])
    """
    place = classes.expand(len(outputs), -1).unsqueeze(2)
    others = outputs.scatter(2, place, -math.inf)
    return (outputs.gather(2, place) - others.amax(2, keepdim=True)).squeeze(2)


def _layers(weights: torch.Tensor, shapes: Sequence[tuple[int, ...]]) -> list[torch.Tensor]:
    """Views of `(runs, size)`: the tensor of each layer, `(runs, *shape)`."""
    parts = weights.split([math.prod(shape) for shape in shapes], dim=1)
    return [part.unflatten(1, shape) for part, shape in zip(parts, shapes, strict=True)]
