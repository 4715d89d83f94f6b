"""How a residual network stretches its hidden state and its gradient: all layers forward and backward by formulas.

h_{k+1} = h_k + alpha f_{k+1}(h_k), k = 0..L - 1, with alpha = L^-beta, and the gradients p_k of a loss with respect to
h_k. Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929). Many networks (draws) side by side, and many inputs or
residual scales (columns) through each: hidden states are `(draws, dim, columns)`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch

from resodectl.numerics.draws import Streams
from resodectl.numerics.laws.correlations import LENGTH_SCALE
from resodectl.numerics.networks.activations import ACTIVATIONS, Activation
from resodectl.numerics.weights.processes import ROUGH_SHARE, EntryLaw, entries

Architecture = Literal["res-1", "res-2", "res-3"]
RELU = ACTIVATIONS["relu"]


@dataclass(frozen=True)
class Layers:
    """The weights of all layers of all networks.

    - res-1: f(h) = V act(h);
    - res-2: f(h) = V act(h + b), `bias` given;
    - res-3: f(h) = V act(Theta h), `inner` given.

    Shapes: `outer` (V) and `inner` (Theta) `(depth, draws, dim, dim)`, `bias` (b) `(depth, draws, dim, 1)`.
    """

    outer: torch.Tensor
    inner: torch.Tensor | None = None
    bias: torch.Tensor | None = None

    @property
    def depth(self) -> int:
        """How many layers there are."""
        return len(self.outer)

    def argument(self, k: int, h: torch.Tensor) -> torch.Tensor:
        """What the activation of layer k sees, of the shape of `h`."""
        seen = h if self.inner is None else torch.bmm(self.inner[k], h)
        return seen if self.bias is None else seen + self.bias[k]


def random_layers(
    architecture: Architecture,
    law: EntryLaw,
    streams: Mapping[str, Streams],
    depth: int,
    dim: int,
    draws: int = 1,
    hurst: float = 0.5,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
    length_scale: float = LENGTH_SCALE,
    rough_share: float = ROUGH_SHARE,
) -> Layers:
    """Untrained weights, `draws` networks a seed: every entry of variance 1/dim, along the layers as `entries` says.

    `streams` holds one stream a seed for each tensor that the architecture has, of "V", "Theta" and "b". The networks
    of a seed stand side by side: network n of seed s is draw s * draws + n.
    """

    def tensor(name: str, *shape: int) -> torch.Tensor:
        drawn = entries(law, streams[name], depth, (draws, *shape), hurst, dtype, device, length_scale, rough_share)
        return drawn.div_(math.sqrt(dim)).flatten(1, 2)

    return Layers(
        tensor("V", dim, dim),
        tensor("Theta", dim, dim) if architecture == "res-3" else None,
        tensor("b", dim, 1) if architecture == "res-2" else None,
    )


def forward(
    layers: Layers, h: torch.Tensor, alpha: torch.Tensor | float, activation: Activation = RELU
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The last hidden state h_L, and for `backward` the slopes act'(z_k) of all layers, from h = h_0.

    `alpha` is one residual scale, or a tensor that broadcasts to `(draws, dim, columns)`: one for each column, say.
    """
    slopes = []
    for k in range(layers.depth):
        value, slope, _ = activation.derivatives(layers.argument(k, h))
        slopes.append(slope)
        h = h + alpha * torch.bmm(layers.outer[k], value)
    return h, slopes


def backward(layers: Layers, p: torch.Tensor, alpha: torch.Tensor | float, slopes: list[torch.Tensor]) -> torch.Tensor:
    """The gradient p_0 with respect to h_0 from p = p_L: p_k = p_{k+1} + alpha Theta^T (act'(z_k) * V^T p_{k+1}).

    The gradients may be scaled at will, a column at a time: the recursion is linear in them.
    """
    for k in reversed(range(layers.depth)):
        through = torch.bmm(layers.outer[k].mT, p) * slopes[k]
        if layers.inner is not None:
            through = torch.bmm(layers.inner[k].mT, through)
        p = p + alpha * through
    return p


def relative_change(start: torch.Tensor, end: torch.Tensor) -> torch.Tensor:
    """|end - start| / |start| of each column, `(draws, columns)`; infinite or NaN after an overflow.

    >>> relative_change(torch.tensor([[[3.0], [4.0]]]), torch.tensor([[[3.0], [-1.0]]]))
    tensor([[1.]])
    """
    return (end - start).norm(dim=1) / start.norm(dim=1)


def stretch(start: torch.Tensor, end: torch.Tensor) -> torch.Tensor:
    """|end| / |start| of each column, `(draws, columns)`; infinite or NaN after an overflow."""
    return end.norm(dim=1) / start.norm(dim=1)
