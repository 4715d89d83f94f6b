"""VGG-11 with smooth activations and average pooling, for several runs side by side; its last layer is not trained.

Eight 3x3 convolutions, five poolings by 2, one linear layer. Two papers of edges of stability train it:
- plain: convolutions with biases, GELU (Arora, Li & Panigrahi 2022, arXiv 2205.09745);
- normalised: without biases, each followed by batch normalisation without gain and shift, softplus, so that the loss
  does not depend on the scale of the weights (Lyu, Li & Arora 2022, arXiv 2206.07085).
The weights are flat, `(runs, size)`: all kernels and then all biases, each in the order of torch.nn.Conv2d.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F

from resodectl.numerics.draws import Streams, normal
from resodectl.numerics.networks.layers import convolution, rows_of
from resodectl.numerics.networks.normalisation import normalise

POOL = 0
VGG_11 = (64, POOL, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL)
KERNEL = 3
HEAD_DEVIATION = 0.01


@dataclass(frozen=True)
class Vgg:
    """See the module.

    Attributes:
        channels: of the images, whose sides are multiples of 2 to the number of poolings.
        normalised: which of the two it is.
        plan: the channels of each convolution, and `POOL` where maps are averaged over 2x2 pixels.
        side: of the images, in pixels.
    """

    channels: int
    classes: int
    normalised: bool
    plan: tuple[int, ...] = VGG_11
    side: int = 32

    @property
    def kernels(self) -> list[tuple[int, int, int, int]]:
        """The shapes (outputs, inputs, 3, 3) of the convolutions."""
        widths = [self.channels, *(width for width in self.plan if width != POOL)]
        return [(outputs, inputs, KERNEL, KERNEL) for inputs, outputs in pairwise(widths)]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of all trained tensors, in the order of the flat weights."""
        biases = [] if self.normalised else [(shape[0],) for shape in self.kernels]
        return [*self.kernels, *biases]

    @property
    def size(self) -> int:
        """How many weights of a run are trained."""
        return sum(map(math.prod, self.shapes))

    @property
    def features(self) -> int:
        """How many numbers the last layer reads."""
        return self.kernels[-1][0] * (self.side // 2 ** self.plan.count(POOL)) ** 2

    def initial(self, streams: Callable[[str], Streams]) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights `(runs, size)` and last layer `(runs, classes, features)` in float64: kernels are Gaussian of
        variance 2 / (9 outputs), biases zero, the last layer is Gaussian of deviation 0.01."""
        drawn = []
        for level, shape in enumerate(self.kernels, start=1):
            deviation = math.sqrt(2 / (KERNEL**2 * shape[0]))
            drawn.append(deviation * normal(streams(f"kernel{level}"), shape).flatten(1))
        drawn += [drawn[0].new_zeros(len(drawn[0]), *shape) for shape in self.shapes[len(drawn) :]]
        head = HEAD_DEVIATION * normal(streams("head"), (self.classes, self.features))
        return torch.cat(drawn, 1), head

    def outputs(
        self, weights: torch.Tensor, head: torch.Tensor, images: torch.Tensor, reference: int | None = None
    ) -> torch.Tensor:
        """Outputs `(runs, n, classes)` of images `(n, channels, side, side)`; for `reference` see `normalise`."""
        runs, count = len(weights), len(self.kernels)
        parts = weights.split([math.prod(shape) for shape in self.shapes], dim=1)
        kernels = [part.unflatten(1, shape) for part, shape in zip(parts, self.kernels, strict=False)]
        biases = parts[count:] or (None,) * count
        layers = iter(zip(kernels, biases, strict=True))
        maps = images.repeat(1, runs, 1, 1)
        for width in self.plan:
            if width == POOL:
                maps = F.avg_pool2d(maps, 2)
                continue
            maps = convolution(maps, *next(layers), padding=KERNEL // 2)
            maps = F.softplus(normalise(maps, (0, 2, 3), reference)) if self.normalised else F.gelu(maps)
        return torch.bmm(rows_of(maps, runs), head.transpose(1, 2))
