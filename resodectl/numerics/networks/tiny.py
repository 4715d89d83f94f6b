"""The tiny convolutional residual network of Sander, Ablin & Peyre 2022 (arXiv 2205.14612, Figures 3c and 4).

CIFAR: conv 3 -> 16, 5x5, stride 3 - BN - ReLU, N residual layers conv3x3 - BN - ReLU - conv3x3 - BN without ReLU after
the sum, average pooling by 4, linear. The last BN starts at zero, so all residuals start at zero.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F

from resodectl.numerics.draws import TensorPlace, uniform
from resodectl.numerics.networks.layers import batch_norm, convolution, rows_of, side_by_side
from resodectl.numerics.networks.network import Params, Solver, StreamsOf, default_linear, layers_first, stage
from resodectl.numerics.ode.schemes import Layer, Residual

CONVOLUTIONS = ("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias")
NORMS = ("bn1.weight", "bn1.bias", "bn2.weight", "bn2.bias")
ORDER = ("conv1.weight", "conv1.bias", "bn1.weight", "bn1.bias", "conv2.weight", "conv2.bias", "bn2.weight", "bn2.bias")
NAMES = tuple(f"residual.{name}" for name in ORDER)
POOL = 4


def residual_of(reference: int | None) -> Residual:
    """conv3x3 - BN - ReLU - conv3x3 - BN on maps `(batch, seeds * channels, height, width)`."""

    def residual(x: torch.Tensor, theta: Layer) -> torch.Tensor:
        conv1, bias1, scale1, shift1, conv2, bias2, scale2, shift2 = theta
        x = torch.relu(batch_norm(convolution(x, conv1, bias1, padding=1), scale1, shift1, reference))
        return batch_norm(convolution(x, conv2, bias2, padding=1), scale2, shift2, reference)

    return residual


@dataclass(frozen=True)
class TinyConv:
    """See the module. `stem` is the kernel, stride and padding of the first convolution, `stem_norm` its BN."""

    normalised: ClassVar[bool] = True

    shape: tuple[int, int, int]  # channels, height and width of an image
    classes: int
    depth: int
    tied: bool = False
    channels: int = 16
    stem: tuple[int, int, int] = (5, 3, 1)
    stem_norm: bool = True

    @property
    def features(self) -> int:
        """How many numbers the linear layer reads: 64 for CIFAR."""
        kernel, stride, padding = self.stem
        height, width = (((side + 2 * padding - kernel) // stride + 1) // POOL for side in self.shape[1:])
        return self.channels * height * width

    def initial(self, streams: StreamsOf, place: TensorPlace) -> Params:
        """Fresh parameters, see `Network`: convolutions uniform within 1/sqrt(fan-in), torch's default."""
        layers, channels = 1 if self.tied else self.depth, self.channels
        fan_in = self.shape[0] * self.stem[0] ** 2
        params = {
            "stem.weight": _uniform(
                "stem.weight", streams, (channels, self.shape[0], *[self.stem[0]] * 2), fan_in, place
            )
        }
        seeds = len(params["stem.weight"])
        if self.stem_norm:
            params["stem.bn.weight"] = torch.ones(seeds, channels, dtype=place.dtype, device=place.device)
            params["stem.bn.bias"] = torch.zeros_like(params["stem.bn.weight"])
        for name in ORDER:
            key = f"residual.{name}"
            if name in CONVOLUTIONS:
                shape = (channels, channels, 3, 3) if name.endswith("weight") else (channels,)
                params[key] = layers_first(_uniform(key, streams, (layers, *shape), 9 * channels, place))
            else:
                start = 1.0 if name == "bn1.weight" else 0.0
                params[key] = torch.full((layers, seeds, channels), start, dtype=place.dtype, device=place.device)
        return params | default_linear("head", streams, self.features, self.classes, place)

    def logits(
        self, params: Params, images: torch.Tensor, solver: Solver, reference: int | None = None
    ) -> torch.Tensor:
        """Logits, see `Network`."""
        _, stride, padding = self.stem
        x = convolution(side_by_side(images), params["stem.weight"], stride=stride, padding=padding)
        if self.stem_norm:
            x = batch_norm(x, params["stem.bn.weight"], params["stem.bn.bias"], reference)
        x = stage(residual_of(reference), torch.relu(x), params, NAMES, self.depth, solver)
        rows = rows_of(F.avg_pool2d(x, POOL), len(images))
        return torch.baddbmm(params["head.bias"].unsqueeze(1), rows, params["head.weight"].transpose(1, 2))


def _uniform(name: str, streams: StreamsOf, shape: tuple[int, ...], fan_in: int, place: TensorPlace) -> torch.Tensor:
    bound = 1 / math.sqrt(fan_in)
    return uniform(streams(name), shape, -bound, bound, *place)
