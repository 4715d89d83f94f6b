"""The 1/N-scaled ResNet-101 of Sander, Ablin & Peyre 2022 (arXiv 2205.14612, Figures 3a and 3b, Table 2).

Every stage starts with a standard strided bottleneck block, which changes the width; its other blocks are residual
layers relu - 1x1 - BN - relu - 3x3 - BN - relu - 1x1 - BN scaled by 1/N, N being their number in the stage, with a ReLU
after the stage. The stem is conv 3x3 - BN - ReLU. Convolutions have no bias; they start with Kaiming's law (fan-out).
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from resodectl.numerics.draws import TensorPlace, normal
from resodectl.numerics.networks.layers import batch_norm, convolution, linear, rows_of, side_by_side
from resodectl.numerics.networks.network import Params, Solver, StreamsOf, default_linear, layers_first, stage
from resodectl.numerics.ode.schemes import Layer, Residual

EXPANSION = 4
PARTS = (1, 2, 3)
ORDER = tuple(
    f"{kind}{part}.{name}" for part in PARTS for kind, name in (("conv", "weight"), ("bn", "weight"), ("bn", "bias"))
)


def residual_of(reference: int | None) -> Residual:
    """relu - 1x1 - BN - relu - 3x3 - BN - relu - 1x1 - BN on maps `(batch, seeds * channels, height, width)`."""

    def residual(x: torch.Tensor, theta: Layer) -> torch.Tensor:
        for part in range(3):
            conv, scale, shift = theta[3 * part : 3 * part + 3]
            x = batch_norm(convolution(torch.relu(x), conv, padding=conv.shape[-1] // 2), scale, shift, reference)
        return x

    return residual


@dataclass(frozen=True)
class Bottleneck:
    """See the module.

    Attributes:
        residuals: the number N of residual layers of each stage (a stage of n blocks has N = n - 1).
        tied: one residual layer a stage, applied N times.
        adjoint_from: stages with fewer residual layers are differentiated by backpropagation, whatever the solver says.
        width: the channels of the stem and of the first stage's inner convolutions; each stage doubles it.
    """

    normalised: ClassVar[bool] = True

    channels: int
    classes: int
    residuals: tuple[int, ...]
    tied: bool = False
    adjoint_from: int = 1
    width: int = 64

    def initial(self, streams: StreamsOf, place: TensorPlace) -> Params:
        """Fresh parameters, see `Network`."""
        params = _conv_bn("stem.conv", "stem.bn", streams, (self.width, self.channels, 3), place)
        inputs = self.width
        for index, depth in enumerate(self.residuals, start=1):
            inner = self.width * 2 ** (index - 1)
            outer = EXPANSION * inner
            block, layer = f"stage{index}.block", f"stage{index}.residual"
            for part, shape in zip(PARTS, ((inner, inputs, 1), (inner, inner, 3), (outer, inner, 1)), strict=True):
                params |= _conv_bn(f"{block}.conv{part}", f"{block}.bn{part}", streams, shape, place)
            params |= _conv_bn(f"{block}.shortcut.conv", f"{block}.shortcut.bn", streams, (outer, inputs, 1), place)
            for part, shape in zip(PARTS, ((inner, outer, 1), (inner, inner, 3), (outer, inner, 1)), strict=True):
                layers = 1 if self.tied else depth
                params |= _conv_bn(f"{layer}.conv{part}", f"{layer}.bn{part}", streams, shape, place, layers)
            inputs = outer
        return params | default_linear("head", streams, inputs, self.classes, place)

    def logits(
        self, params: Params, images: torch.Tensor, solver: Solver, reference: int | None = None
    ) -> torch.Tensor:
        """Logits, see `Network`."""
        x = convolution(side_by_side(images), params["stem.conv.weight"], padding=1)
        x = torch.relu(batch_norm(x, params["stem.bn.weight"], params["stem.bn.bias"], reference))
        for index, depth in enumerate(self.residuals, start=1):
            x = _block(x, params, f"stage{index}.block", 1 if index == 1 else 2, reference)
            names = [f"stage{index}.residual.{name}" for name in ORDER]
            chosen = solver if depth >= self.adjoint_from else solver._replace(gradient="backprop")
            x = torch.relu(stage(residual_of(reference), x, params, names, depth, chosen))
        return linear(rows_of(x.mean((2, 3), keepdim=True), len(images)), params["head.weight"], params["head.bias"])


def _block(x: torch.Tensor, params: Params, name: str, stride: int, reference: int | None) -> torch.Tensor:
    """The standard bottleneck block, its stride in the 3x3 convolution, its shortcut a strided 1x1 convolution."""

    def normalised(maps: torch.Tensor, conv: str, norm: str, step: int = 1) -> torch.Tensor:
        weight = params[f"{name}.{conv}.weight"]
        maps = convolution(maps, weight, stride=step, padding=weight.shape[-1] // 2)
        return batch_norm(maps, params[f"{name}.{norm}.weight"], params[f"{name}.{norm}.bias"], reference)

    inner = torch.relu(normalised(x, "conv1", "bn1"))
    inner = torch.relu(normalised(inner, "conv2", "bn2", stride))
    return torch.relu(normalised(inner, "conv3", "bn3") + normalised(x, "shortcut.conv", "shortcut.bn", stride))


def _conv_bn(
    conv: str, norm: str, streams: StreamsOf, shape: tuple[int, int, int], place: TensorPlace, layers: int | None = None
) -> Params:
    """A convolution with Kaiming's normal law (fan-out) and its BN at one and zero; stacked if there are `layers`."""
    outputs, inputs, kernel = shape
    lead = () if layers is None else (layers,)
    weight = normal(streams(f"{conv}.weight"), (*lead, outputs, inputs, kernel, kernel), *place)
    weight *= math.sqrt(2 / (outputs * kernel**2))
    weight = weight if layers is None else layers_first(weight)
    scale = torch.ones(weight.shape[: len(lead) + 2], dtype=place.dtype, device=place.device)
    return {f"{conv}.weight": weight, f"{norm}.weight": scale, f"{norm}.bias": torch.zeros_like(scale)}
