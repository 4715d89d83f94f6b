"""A residual network of two-layer perceptrons between linear layers: the small stand-in for images of digits.

x -> relu(linear) -> N residual layers V tanh(W x + b) + c -> linear, after Sander et al. 2022 (arXiv 2205.14612),
with W ~ N(0, 9/16), V ~ N(0, 9/32) (variances at the widths 16 and 32: 9 / fan-in) and zero biases.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from resodectl.numerics.draws import TensorPlace, normal
from resodectl.numerics.networks.layers import linear
from resodectl.numerics.networks.network import Params, Solver, StreamsOf, default_linear, layers_first, stage
from resodectl.numerics.ode.schemes import Layer

GAIN = 3.0  # the standard deviation of entries is GAIN / sqrt(fan-in)
NAMES = ("residual.first.weight", "residual.first.bias", "residual.second.weight", "residual.second.bias")


def residual(x: torch.Tensor, theta: Layer) -> torch.Tensor:
    """V tanh(W x + b) + c for x `(seeds, batch, width)` and theta = (W, b, V, c)."""
    first, first_bias, second, second_bias = theta
    return linear(torch.tanh(linear(x, first, first_bias)), second, second_bias)


@dataclass(frozen=True)
class Mlp:
    """See the module; `tied` networks apply one and the same residual layer `depth` times."""

    normalised: ClassVar[bool] = False

    inputs: int
    classes: int
    depth: int
    tied: bool = False
    width: int = 16
    hidden: int = 32

    def initial(self, streams: StreamsOf, place: TensorPlace) -> Params:
        """Fresh parameters, see `Network`."""
        layers = 1 if self.tied else self.depth
        shapes = ((self.hidden, self.width), (self.hidden,), (self.width, self.hidden), (self.width,))
        params = default_linear("stem", streams, self.inputs, self.width, place)
        for name, shape in zip(NAMES, shapes, strict=True):
            if name.endswith("bias"):
                drawn = torch.zeros(len(params["stem.weight"]), layers, *shape, dtype=place.dtype, device=place.device)
            else:
                drawn = GAIN / math.sqrt(shape[1]) * normal(streams(name), (layers, *shape), *place)
            params[name] = layers_first(drawn)
        return params | default_linear("head", streams, self.width, self.classes, place)

    def logits(
        self, params: Params, images: torch.Tensor, solver: Solver, reference: int | None = None
    ) -> torch.Tensor:
        """Logits, see `Network`; there is no batch normalisation, so `reference` changes nothing."""
        x = torch.relu(linear(images.flatten(2), params["stem.weight"], params["stem.bias"]))
        x = stage(residual, x, params, NAMES, self.depth, solver)
        return linear(x, params["head.weight"], params["head.bias"])
