"""Velocity fields of flows with their divergence in closed form, a field for each run.

Cao & Vanden-Eijnden 2022 (arXiv 2206.09908). A field is a tuple of weights, each `(runs, ...)`. It is called on points
`(..., runs, samples, dim)` and gives values of the same shape; its `divergence` is `(..., runs, samples)`; its
`pull_back` is the transposed Jacobian applied to vectors, of the shape of the points.
"""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import softplus


class Velocity(Protocol):
    """A field b(x), a field for each run."""

    def __call__(self, x: Tensor, /) -> Tensor:
        """The field at the points `(..., runs, samples, dim)`, of the same shape."""

    def divergence(self, x: Tensor, /) -> Tensor:
        """The divergence at the points, `(..., runs, samples)`."""


class Generic(NamedTuple):
    """b(x) = W2 softplus(W1 x + b1) + b2.

    >>> one = torch.ones(1, 1, 1)
    >>> field = Generic(one, torch.zeros(1, 1), one, torch.zeros(1, 1))
    >>> field(torch.zeros(1, 1, 1)).item(), field.divergence(torch.zeros(1, 1, 1)).item()  # log 2 and its slope
    (0.6931471824645996, 0.5)
    """

    inner: Tensor  # W1, (runs, units, dim)
    inner_bias: Tensor  # b1, (runs, units)
    outer: Tensor  # W2, (runs, dim, units)
    outer_bias: Tensor  # b2, (runs, dim)

    def _before(self, x: Tensor) -> Tensor:
        return x @ self.inner.mT + self.inner_bias.unsqueeze(-2)

    def __call__(self, x: Tensor) -> Tensor:
        return softplus(self._before(x)) @ self.outer.mT + self.outer_bias.unsqueeze(-2)

    def divergence(self, x: Tensor) -> Tensor:
        traces = (self.outer.mT * self.inner).sum(-1)  # (runs, units)
        return (torch.sigmoid(self._before(x)) @ traces.unsqueeze(-1)).squeeze(-1)

    def pull_back(self, x: Tensor, vectors: Tensor) -> Tensor:
        return (torch.sigmoid(self._before(x)) * (vectors @ self.outer)) @ self.inner


class Gradient(NamedTuple):
    """b = grad V of the potential V(x) = w2 . softplus(W1 x + b1).

    >>> one = torch.ones(1, 1, 1)
    >>> field = Gradient(one, torch.zeros(1, 1), torch.ones(1, 1))
    >>> field(torch.zeros(1, 1, 1)).item(), field.divergence(torch.zeros(1, 1, 1)).item()
    (0.5, 0.25)
    """

    inner: Tensor  # W1, (runs, units, dim)
    inner_bias: Tensor  # b1, (runs, units)
    outer: Tensor  # w2, (runs, units)

    def _before(self, x: Tensor) -> Tensor:
        return x @ self.inner.mT + self.inner_bias.unsqueeze(-2)

    def __call__(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self._before(x)) @ (self.outer.unsqueeze(-1) * self.inner)

    def divergence(self, x: Tensor) -> Tensor:
        gates = torch.sigmoid(self._before(x))
        lengths = self.outer * self.inner.square().sum(-1)  # (runs, units)
        return ((gates - gates * gates) @ lengths.unsqueeze(-1)).squeeze(-1)

    def pull_back(self, x: Tensor, vectors: Tensor) -> Tensor:
        gates = torch.sigmoid(self._before(x))
        bent = (gates - gates * gates) * (vectors @ self.inner.mT)
        return bent @ (self.outer.unsqueeze(-1) * self.inner)


class Linear(NamedTuple):
    """b(x) = W x + c.

    >>> field = Linear(torch.tensor([[[0.0, -1.0], [1.0, 0.5]]]), torch.zeros(1, 2))
    >>> field(torch.tensor([[[1.0, 0.0]]])).tolist(), field.divergence(torch.zeros(1, 1, 2)).tolist()
    ([[[0.0, 1.0]]], [[0.5]])
    """

    matrix: Tensor  # W, (runs, dim, dim)
    shift: Tensor  # c, (runs, dim)

    def __call__(self, x: Tensor) -> Tensor:
        return x @ self.matrix.mT + self.shift.unsqueeze(-2)

    def divergence(self, x: Tensor) -> Tensor:
        trace = self.matrix.diagonal(dim1=-2, dim2=-1).sum(-1)  # (runs,)
        return trace.unsqueeze(-1).expand(x.shape[:-1])

    def pull_back(self, x: Tensor, vectors: Tensor) -> Tensor:
        return vectors @ self.matrix


class Funnel(NamedTuple):
    """b(x) = (-beta, -alpha x_2, ..., -alpha x_d) in a ball, and 0 outside it.

    The divergence is that of the inside: the jump at the sphere is left out, as it is in the paper.

    >>> field = Funnel(torch.tensor([2.0]), torch.tensor([3.0]), 25.0)
    >>> field(torch.tensor([[[1.0, 1.0], [30.0, 0.0]]])).tolist()
    [[[-2.0, -3.0], [-0.0, -0.0]]]
    >>> field.divergence(torch.tensor([[[1.0, 1.0], [30.0, 0.0]]])).tolist()
    [[-3.0, -0.0]]
    """

    beta: Tensor  # (runs,)
    alpha: Tensor  # (runs,)
    radius: float

    def _inside(self, x: Tensor) -> Tensor:
        return (x.square().sum(-1) < self.radius**2).to(x)

    def __call__(self, x: Tensor) -> Tensor:
        alpha, beta = (of[:, None, None] for of in (self.alpha, self.beta))
        field = torch.cat([beta.expand(*x.shape[:-1], 1), alpha * x[..., 1:]], -1)
        return -self._inside(x).unsqueeze(-1) * field

    def divergence(self, x: Tensor) -> Tensor:
        return -self._inside(x) * (x.shape[-1] - 1) * self.alpha.unsqueeze(-1)

    def pull_back(self, x: Tensor, vectors: Tensor) -> Tensor:
        through = torch.cat([torch.zeros_like(vectors[..., :1]), vectors[..., 1:]], -1)
        return -self._inside(x).unsqueeze(-1) * self.alpha[:, None, None] * through
