"""Pairs of unit vectors to be learnt by networks without first and last layers.

Cohen, Cont, Rossier & Xu 2021 (arXiv 2105.12245): a map that is known to be the flow of an equation, and MNIST seen
through two fixed random convolutions. Every seed has its own draw. Columns are examples: `(seeds, dim, size)`.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from resodectl.datasets.dataset import Examples
from resodectl.datasets.load import load
from resodectl.numerics.draws import Streams, TensorPlace, uniform
from resodectl.training.images import split

ODE_DIM = 10
ODE_STEPS = 100  # n, the steps of the map that is to be learnt
MNIST_DIM = 25
CONVOLUTIONS = (5, 3)  # the kernels, applied with stride 2: 28 -> 12 -> 5 pixels a side
CHUNK = 10_000  # images at a time


class Pairs(NamedTuple):
    """Inputs and targets, `(seeds, dim, size)` each."""

    inputs: torch.Tensor
    targets: torch.Tensor


def ode_pairs(streams: Streams, size: int, place: TensorPlace) -> Pairs:
    """(x/|x|, z_n/|z_n|) for x uniform on (-1, 1)^10: z_0 = x, z_{t+1} = z_t + n^-1/2 tanh(sin(a) z_t + cos(a)),
    a = 5 pi t / n."""
    start = uniform(streams, (size, ODE_DIM), -1.0, 1.0).transpose(1, 2)
    z = start.clone()
    for t in range(ODE_STEPS):
        angle = 5 * math.pi * t / ODE_STEPS
        z += torch.tanh(math.sin(angle) * z + math.cos(angle)) / math.sqrt(ODE_STEPS)
    return Pairs(*(F.normalize(part, dim=1).to(place.device, place.dtype).contiguous() for part in (start, z)))


def image_pairs(name: str, streams: Streams, root: Path | None, place: TensorPlace) -> tuple[Pairs, Pairs]:
    """Training and test pairs of MNIST or its first images: raw pixels through a 5x5 and a 3x3 convolution of stride 2
    with one channel each, drawn once a seed within 1/sqrt(fan-in), as unit vectors; the class as such a vector.

    Raises:
        DataError: the data set is missing or damaged.
    """
    kernels = [_convolution(streams, side) for side in CONVOLUTIONS]
    train, test = (_pairs(part, kernels, place) for part in split(load(name, root)))
    return train, test


def _convolution(streams: Streams, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A kernel `(seeds, 1, side, side)` and a bias `(seeds,)`, torch's default draw."""
    drawn = uniform(streams, (side * side + 1,), -1 / side, 1 / side, torch.float32)
    return drawn[:, :-1].reshape(-1, 1, side, side).contiguous(), drawn[:, -1].contiguous()


def _pairs(examples: Examples, kernels: Sequence[tuple[torch.Tensor, torch.Tensor]], place: TensorPlace) -> Pairs:
    parts = [_features(images, kernels) for images in np.array_split(examples.inputs, -(-len(examples) // CHUNK))]
    inputs = torch.cat(parts).permute(1, 2, 0)
    classes = F.one_hot(torch.from_numpy(examples.labels), MNIST_DIM).T
    targets = classes.expand(len(inputs), -1, -1)
    return Pairs(*(part.to(place.device, place.dtype).contiguous() for part in (inputs, targets)))


def _features(images: np.ndarray, kernels: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """Unit vectors `(size, seeds, dim)`."""
    seeds = len(kernels[0][0])
    maps = torch.from_numpy(images.astype(np.float32)).expand(-1, seeds, -1, -1)
    for kernel, bias in kernels:
        maps = F.conv2d(maps, kernel, bias, stride=2, groups=seeds)
    return F.normalize(maps.flatten(2), dim=2)
