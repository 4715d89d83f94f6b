"""Completing low-rank matrices from Z = A B^T with the observed entries normalised: problems, loss and gradient.

Lyu, Li & Arora 2022 (arXiv 2206.07085). The observed entries of Z are centred and divided by their own spread, those of
the truth by theirs; L is their mean squared difference. It is invariant to a joint scaling of A and B. A run's weights
are A and B, each row by row: `(runs, 2 d k)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Problem:
    """A problem a run: the entries `(runs, d, d)`, standardised by the observed ones, and which are observed."""

    target: torch.Tensor
    observed: torch.Tensor  # 1 or 0
    count: int  # of observed entries in each run

    def loss(self, weights: torch.Tensor) -> torch.Tensor:
        """The mean squared error `(runs,)` on the observed entries, differentiable."""
        wrong = (self._normalised(weights)[0] - self.target) * self.observed
        return wrong.square().sum((1, 2)) / self.count

    def test_loss(self, weights: torch.Tensor) -> torch.Tensor:
        """The mean squared error on the other entries, normalised by the statistics of the observed ones."""
        wrong = (self._normalised(weights)[0] - self.target) * (1 - self.observed)
        return wrong.square().sum((1, 2)) / (self.observed[0].numel() - self.count)

    def gradient(self, weights: torch.Tensor) -> torch.Tensor:
        """That of `loss`, `(runs, 2 d k)`, without autograd.

        With y the normalised entries of spread s and r = 2 (y - target) / count, both on the observed entries:
        dL/dZ = (r - mean(r) - y mean(r y)) / s, where means are over the observed entries.
        """
        normal, spread = self._normalised(weights)
        normal = normal * self.observed
        wrong = torch.addcmul(normal, self.target, self.observed, value=-1)
        along = (wrong * normal).sum((1, 2), keepdim=True) / self.count
        # The mean of r over observed entries vanishes: both y and the target are centred there.
        slope = torch.addcmul(wrong, normal, along, value=-1) * (2 / (self.count * spread))
        first, second = self._factors(weights)
        return torch.cat([torch.bmm(slope, second).flatten(1), torch.bmm(slope.transpose(1, 2), first).flatten(1)], 1)

    def _factors(self, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        both = weights.view(len(weights), 2, self.target.shape[1], -1)
        return both[:, 0], both[:, 1]

    def _normalised(self, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """All entries of Z, normalised by the observed ones, and the spread of these, `(runs, 1, 1)`."""
        first, second = self._factors(weights)
        entries = torch.bmm(first, second.transpose(1, 2))
        return standardised(entries, self.observed, self.count)


def standardised(entries: torch.Tensor, observed: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Entries `(runs, d, d)` centred and divided by the (biased) spread of the observed ones, and that spread."""
    centred = entries - (entries * observed).sum((1, 2), keepdim=True) / count
    spread = ((centred.square() * observed).sum((1, 2), keepdim=True) / count).sqrt()
    return centred / spread, spread


def draw(
    streams: Sequence[np.random.Generator],
    dim: int,
    rank: int,
    count: int,
    width: int,
    dtype: torch.dtype,
    device: torch.device,
) -> tuple[Problem, torch.Tensor]:
    """A truth U V^T of standard Gaussian U and V `(dim, rank)`, `count` of its entries, and initial weights of variance
    1 / dim, drawn in this order from the stream of each run."""
    truths, masks, weights = [], [], []
    for stream in streams:
        left, right = (stream.standard_normal((dim, rank)) for _ in range(2))
        truths.append(left @ right.T)
        mask = np.zeros(dim * dim)
        mask[stream.permutation(dim * dim)[:count]] = 1
        masks.append(mask.reshape(dim, dim))
        weights.append(stream.standard_normal(2 * dim * width) / dim**0.5)
    truth, observed, initial = (
        torch.from_numpy(np.stack(part)).to(device=device, dtype=dtype) for part in (truths, masks, weights)
    )
    return Problem(standardised(truth, observed, count)[0], observed, count), initial
