"""A perceptron whose loss does not depend on the scale of its weights, for several runs side by side.

linear - BN - softplus, once for every hidden layer, then a last linear layer that is not trained; no layer has a bias,
and BN has neither gain nor shift (Lyu, Li & Arora 2022, arXiv 2206.07085). The weights are flat, `(runs, size)`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F

from resodectl.numerics.draws import Streams, uniform
from resodectl.numerics.networks.normalisation import normalise, normalise_backwards


@dataclass(frozen=True)
class NormalisedPerceptron:
    """See the module. A run's weights are those of its hidden layers in order, each row by row."""

    widths: tuple[int, ...]  # of the input, the hidden layers and the output

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """The shapes (outputs, inputs) of the trained layers."""
        return [(outputs, inputs) for inputs, outputs in pairwise(self.widths[:-1])]

    @property
    def size(self) -> int:
        """How many weights of a run are trained."""
        return sum(map(math.prod, self.shapes))

    def initial(self, streams: Callable[[str], Streams]) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights `(runs, size)` and last layer `(runs, outputs, features)` in float64: torch's default law, uniform
        within 1/sqrt(inputs of the layer)."""
        *trained, head = [
            uniform(streams(f"weight{level}"), shape, -(shape[1] ** -0.5), shape[1] ** -0.5)
            for level, shape in enumerate([*self.shapes, self.widths[:-3:-1]], start=1)
        ]
        return torch.cat([matrix.flatten(1) for matrix in trained], 1), head

    def outputs(
        self, weights: torch.Tensor, head: torch.Tensor, images: torch.Tensor, reference: int | None = None
    ) -> torch.Tensor:
        """Outputs `(runs, n, outputs)` of images `(n, ...)`; for `reference` see `normalise`."""
        values = images.flatten(1).expand(len(weights), -1, -1)
        for matrix in self._matrices(weights):
            values = torch.bmm(values, matrix.transpose(1, 2))
            values = F.softplus(normalise(values, (1,), reference))
        return torch.bmm(values, head.transpose(1, 2))

    def pullback(
        self, weights: torch.Tensor, head: torch.Tensor, images: torch.Tensor
    ) -> tuple[torch.Tensor, Callable[[torch.Tensor], torch.Tensor]]:
        """The outputs, and the map from a loss's derivatives by them, `(runs, n, outputs)`, to those by the weights,
        `(runs, size)`: backpropagation by hand, as a graph costs more than the arithmetic of so small a network."""
        values = images.flatten(1).expand(len(weights), -1, -1)
        matrices, kept = self._matrices(weights), []
        for matrix in matrices:
            before = torch.bmm(values, matrix.transpose(1, 2))
            variance, mean = torch.var_mean(before, dim=1, correction=0, keepdim=True)
            normal = before.sub_(mean).mul_(variance.rsqrt())
            kept.append((values, normal, variance))
            values = F.softplus(normal)

        def pull(slopes: torch.Tensor) -> torch.Tensor:
            slopes, found = torch.bmm(slopes, head), []
            for matrix, (inputs, normal, variance) in zip(matrices[::-1], kept[::-1], strict=True):
                before = normalise_backwards(torch.sigmoid(normal).mul_(slopes), normal, variance)
                found.append(torch.bmm(before.transpose(1, 2), inputs).flatten(1))
                slopes = torch.bmm(before, matrix) if len(found) < len(kept) else before
            return torch.cat(found[::-1], 1)

        return torch.bmm(values, head.transpose(1, 2)), pull

    def _matrices(self, weights: torch.Tensor) -> list[torch.Tensor]:
        """The weights of each layer, `(runs, outputs, inputs)`."""
        parts = weights.split([math.prod(shape) for shape in self.shapes], dim=1)
        return [part.unflatten(1, shape) for part, shape in zip(parts, self.shapes, strict=True)]
