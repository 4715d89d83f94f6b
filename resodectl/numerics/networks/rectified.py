"""ReLU networks for images with max-pooling or strides, without normalisation, on flat weights `(runs, size)`.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956) train them: the convolutional part of VGG-11 with one linear layer, and a
ResNet-18. All convolutions and the linear layer have biases; weights start with Xavier's normal law, biases at zero.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from resodectl.numerics.draws import Streams, normal
from resodectl.numerics.networks.layers import convolution, linear, rows_of, side_by_side, small_convolution

KERNEL = 3
SMALL_SIDE, SMALL_MATRIX = 4, 2**17  # maps up to this side, and matrices of a run up to this size
VGG_11 = ((64,), (128,), (256, 256), (512, 512), (512, 512))
RESNET_18 = ((64, 2), (128, 2), (256, 2), (512, 2))


class Rectified(Protocol):
    """A network by the shapes of its tensors, weight and bias of each layer in turn."""

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of all tensors, in the order of the flat weights."""
        ...

    def outputs(self, weights: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        """Outputs `(runs, n, classes)` of images `(n, channels, side, side)` of all runs, or `(runs, n, ...)`."""
        ...


@dataclass(frozen=True)
class Plain:
    """Groups of 3x3 convolutions with ReLUs, max-pooling by 2 after each group, and one linear layer.

    Attributes:
        groups: the channels of the convolutions of each group.
        side: of the images, in pixels; it is halved, rounded down, by each group.

    >>> size(Plain(3, 10, VGG_11, 32))
    9225610
    """

    channels: int
    classes: int
    groups: tuple[tuple[int, ...], ...]
    side: int

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """See `Rectified`."""
        shapes, inputs = [], self.channels
        for outputs in (width for group in self.groups for width in group):
            shapes += [(outputs, inputs, KERNEL, KERNEL), (outputs,)]
            inputs = outputs
        features = inputs * (self.side >> len(self.groups)) ** 2
        return [*shapes, (self.classes, features), (self.classes,)]

    def outputs(self, weights: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        """See `Rectified`."""
        runs, layers = len(weights), iter(_layers(weights, self.shapes))
        maps = _maps(images, runs)
        for group in self.groups:
            for _ in group:
                maps = _convolved(maps, *next(layers)).relu()
            maps = torch.max_pool2d(maps, 2)
        return linear(rows_of(maps, runs), *next(layers))


@dataclass(frozen=True)
class Residual:
    """A 3x3 convolution with ReLU, stages of blocks x -> relu(conv2 relu(conv1 x) + shortcut x), mean, linear layer.

    The first block of each stage but the first halves the side; where a block changes the shape, its shortcut is a 1x1
    convolution.

    Attributes:
        stages: the channels and the number of blocks of each stage.

    >>> size(Residual(3, 10, RESNET_18))
    11169162
    """

    channels: int
    classes: int
    stages: tuple[tuple[int, int], ...]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """See `Rectified`."""
        inputs = self.stages[0][0]
        shapes: list[tuple[int, ...]] = [(inputs, self.channels, KERNEL, KERNEL), (inputs,)]
        for read, outputs, stride in self._blocks():
            shapes += [(outputs, read, KERNEL, KERNEL), (outputs,), (outputs, outputs, KERNEL, KERNEL), (outputs,)]
            if read != outputs or stride > 1:
                shapes += [(outputs, read, 1, 1), (outputs,)]
        return [*shapes, (self.classes, self.stages[-1][0]), (self.classes,)]

    def outputs(self, weights: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        """See `Rectified`."""
        runs, layers = len(weights), iter(_layers(weights, self.shapes))
        x = _convolved(_maps(images, runs), *next(layers)).relu()
        for read, outputs, stride in self._blocks():
            first = next(layers)
            inner = _convolved(x, *first) if stride == 1 else convolution(x, *first, stride=stride, padding=1)
            inner = _convolved(inner.relu(), *next(layers))
            if read != outputs or stride > 1:
                x = convolution(x, *next(layers), stride=stride)
            x = (inner + x).relu()
        return linear(rows_of(x.mean((2, 3), keepdim=True), runs), *next(layers))

    def _blocks(self) -> list[tuple[int, int, int]]:
        """The channels read and written, and the stride, of each block."""
        blocks, inputs = [], self.stages[0][0]
        for stage, (outputs, count) in enumerate(self.stages):
            for block in range(count):
                blocks.append((inputs, outputs, 2 if stage > 0 and block == 0 else 1))
                inputs = outputs
        return blocks


def size(network: Rectified) -> int:
    """How many weights a run has."""
    return sum(map(math.prod, network.shapes))


def xavier(network: Rectified, streams: Callable[[str], Streams], gain: float) -> torch.Tensor:
    """Weights `(seeds, size)` in float64: normal of variance 2 gain^2 / (fan-in + fan-out); biases are zero."""
    drawn: list[torch.Tensor] = []
    for index, shape in enumerate(network.shapes):
        if len(shape) == 1:
            drawn.append(drawn[-1].new_zeros(len(drawn[-1]), *shape))
            continue
        deviation = gain * math.sqrt(2 / ((shape[0] + shape[1]) * math.prod(shape[2:])))
        drawn.append(deviation * normal(streams(f"weight{index // 2 + 1}"), shape).flatten(1))
    return torch.cat(drawn, 1)


def _convolved(maps: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """The 3x3 convolution of every run; several runs of small maps are one product of matrices."""
    runs, outputs, inputs = weight.shape[:3]
    side = maps.shape[-1]
    if runs > 1 and side <= SMALL_SIDE and inputs * outputs * side**4 <= SMALL_MATRIX:
        return small_convolution(maps, weight, bias)
    return convolution(maps, weight, bias, padding=1)


def _maps(images: torch.Tensor, runs: int) -> torch.Tensor:
    return images.repeat(1, runs, 1, 1) if images.dim() == 4 else side_by_side(images)


def _layers(weights: torch.Tensor, shapes: Sequence[tuple[int, ...]]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Views of `(runs, size)`: the weight `(runs, *shape)` and the bias of each layer."""
    parts = weights.split([math.prod(shape) for shape in shapes], dim=1)
    tensors = [part.unflatten(1, shape) for part, shape in zip(parts, shapes, strict=True)]
    return list(zip(tensors[::2], tensors[1::2], strict=True))
