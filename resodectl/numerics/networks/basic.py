"""The residual networks of basic blocks without normalisation of Cohen et al. 2021 (arXiv 2105.12245, CIFAR-10).

A block maps h to relu(conv2(relu(conv1 h)) + shortcut(h)); no layer but the last has a bias. The stem is conv 3x3 -
ReLU, the end average pooling and a linear layer. A block that changes the shape has a strided 1x1 shortcut.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from resodectl.numerics.draws import TensorPlace, uniform
from resodectl.numerics.networks.layers import convolution, linear, rows_of, side_by_side
from resodectl.numerics.networks.network import Params, Solver, StreamsOf, default_linear


@dataclass(frozen=True)
class Basic:
    """See the module.

    Attributes:
        blocks: the number of blocks of each stage.
        strides: the stride of the first block of each stage.
        width: the channels of the first stage.
        doubling: whether each stage has twice the channels of the one before.
        equal: whether all blocks of a stage that have one shape start with the same weights.
    """

    normalised: ClassVar[bool] = True

    channels: int
    classes: int
    blocks: tuple[int, ...]
    strides: tuple[int, ...] = (1, 2, 2, 2)
    width: int = 64
    doubling: bool = True
    equal: bool = False

    def shapes(self) -> list[tuple[int, int, int, int]]:
        """The stage, the channels read and written, and the stride of every block, in order."""
        shapes, inputs = [], self.width
        for stage, (count, stride) in enumerate(zip(self.blocks, self.strides, strict=True)):
            outputs = self.width * 2**stage if self.doubling else self.width
            for block in range(count):
                shapes.append((stage, inputs, outputs, stride if block == 0 else 1))
                inputs = outputs
        return shapes

    def initial(self, streams: StreamsOf, place: TensorPlace) -> Params:
        """Fresh parameters, see `Network`: uniform within 1/sqrt(fan-in), torch's default."""
        params = {"stem": _default("stem", streams, (self.width, self.channels, 3), place)}
        for k, (stage, inputs, outputs, stride) in enumerate(self.shapes()):
            for name, read in (("A", inputs), ("Delta", outputs)):
                label = f"stage{stage}.{name}.{read}" if self.equal else f"{name}.{k}"
                params[f"{name}.{k}"] = _default(label, streams, (outputs, read, 3), place)
            if inputs != outputs or stride > 1:
                params[f"shortcut.{k}"] = _default(f"shortcut.{k}", streams, (outputs, inputs, 1), place)
        return params | default_linear("head", streams, outputs, self.classes, place)

    def logits(
        self, params: Params, images: torch.Tensor, solver: Solver, reference: int | None = None
    ) -> torch.Tensor:
        """Logits, see `Network`; there is nothing to normalise, and nothing but backpropagation to choose."""
        x = torch.relu(convolution(side_by_side(images), params["stem"], padding=1))
        for k, (*_, stride) in enumerate(self.shapes()):
            inner = torch.relu(convolution(x, params[f"A.{k}"], stride=stride, padding=1))
            shortcut = params.get(f"shortcut.{k}")
            kept = x if shortcut is None else convolution(x, shortcut, stride=stride)
            x = torch.relu(convolution(inner, params[f"Delta.{k}"], padding=1) + kept)
        return linear(rows_of(x.mean((2, 3), keepdim=True), len(images)), params["head.weight"], params["head.bias"])


def _default(name: str, streams: StreamsOf, shape: tuple[int, int, int], place: TensorPlace) -> torch.Tensor:
    outputs, inputs, kernel = shape
    bound = (inputs * kernel**2) ** -0.5
    return uniform(streams(name), (outputs, inputs, kernel, kernel), -bound, bound, *place)
