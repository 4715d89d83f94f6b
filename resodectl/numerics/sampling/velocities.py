"""Velocity fields of flows with their divergence in closed form, a field for each run.

Cao & Vanden-Eijnden 2022 (arXiv 2206.09908). A field is a tuple of weights, each `(runs, ...)`. It is called on points
`(..., runs, samples, dim)` and gives values of the same shape; its `divergence` is `(..., runs, samples)`.

For training, a field is taken apart: `inside(x)` is what it computes on its way, from which `value`, `trace` (the
divergence) and `pull_back` (a step of reverse-mode differentiation, by hand) follow without computing it again.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

RADIUS = 25.0  # of the ball in which the field of the funnel is not 0


class Velocity(Protocol):
    """A field b(x), a field for each run."""

    def __call__(self, x: Tensor, /) -> Tensor:
        """The field at the points `(..., runs, samples, dim)`, of the same shape."""

    def divergence(self, x: Tensor, /) -> Tensor:
        """The divergence at the points, `(..., runs, samples)`."""


class Trainable(Velocity, Protocol):
    """A field that is a tuple of weights, each `(runs, ...)`, and can be differentiated by them."""

    def __iter__(self) -> Iterator[Tensor]:
        """The weights."""

    def inside(self, x: Tensor, /) -> tuple[Tensor, ...]:
        """What the field computes at the points on its way to its value."""

    def value(self, x: Tensor, inside: tuple[Tensor, ...], /) -> Tensor:
        """The field at the points."""

    def trace(self, x: Tensor, inside: tuple[Tensor, ...], /) -> Tensor:
        """The divergence at the points."""

    def pull_back(
        self, x: Tensor, inside: tuple[Tensor, ...], vectors: Tensor, scalars: Tensor | None, /
    ) -> tuple[Tensor, list[Tensor]]:
        """The gradients of sum(vectors * b(x)) + sum(scalars * div b(x)), by the points and by each of the weights.

        Args:
            x: points, `(runs, samples, dim)`.
            inside: of these points.
            vectors: of the shape of the points.
            scalars: `(runs, samples)`, or None for zeros.
        """


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

    def __call__(self, x: Tensor) -> Tensor:
        return self.value(x, self.inside(x))

    def divergence(self, x: Tensor) -> Tensor:
        return self.trace(x, self.inside(x))

    def inside(self, x: Tensor) -> tuple[Tensor, ...]:
        before = _affine(x, self.inner, self.inner_bias)
        return torch.sigmoid(before), softplus(before)

    def value(self, x: Tensor, inside: tuple[Tensor, ...]) -> Tensor:
        return _affine(inside[1], self.outer, self.outer_bias)

    def trace(self, x: Tensor, inside: tuple[Tensor, ...]) -> Tensor:
        return (inside[0] @ self._traces().unsqueeze(-1)).squeeze(-1)

    def pull_back(
        self, x: Tensor, inside: tuple[Tensor, ...], vectors: Tensor, scalars: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        slopes, units = inside
        at_units = slopes * (vectors @ self.outer)
        of_inner, of_outer = torch.zeros_like(self.inner), vectors.mT @ units
        if scalars is not None:
            bends = torch.addcmul(slopes, slopes, slopes, value=-1) * scalars.unsqueeze(-1)
            at_units = torch.addcmul(at_units, bends, self._traces().unsqueeze(-2))
            of_traces = slopes.mT @ scalars.unsqueeze(-1)  # (runs, units, 1)
            of_inner, of_outer = of_traces * self.outer.mT, of_outer + (of_traces * self.inner).mT
        return at_units @ self.inner, [of_inner + at_units.mT @ x, at_units.sum(-2), of_outer, vectors.sum(-2)]

    def _traces(self) -> Tensor:
        """(W1 W2)_jj, which the slope of the unit j is weighted by in the divergence, `(runs, units)`."""
        return (self.outer.mT * self.inner).sum(-1)


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

    def __call__(self, x: Tensor) -> Tensor:
        return self.value(x, self.inside(x))

    def divergence(self, x: Tensor) -> Tensor:
        return self.trace(x, self.inside(x))

    def inside(self, x: Tensor) -> tuple[Tensor, ...]:
        return (_affine(x, self.inner, self.inner_bias).sigmoid_(),)

    def value(self, x: Tensor, inside: tuple[Tensor, ...]) -> Tensor:
        return inside[0] @ (self.outer.unsqueeze(-1) * self.inner)

    def trace(self, x: Tensor, inside: tuple[Tensor, ...]) -> Tensor:
        (gates,) = inside
        slopes = torch.addcmul(gates, gates, gates, value=-1)
        return (slopes @ (self.outer * self.inner.square().sum(-1)).unsqueeze(-1)).squeeze(-1)

    def pull_back(
        self, x: Tensor, inside: tuple[Tensor, ...], vectors: Tensor, scalars: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        (gates,) = inside
        outer = self.outer.unsqueeze(-1)
        slopes = torch.addcmul(gates, gates, gates, value=-1)
        at_units = slopes * (vectors @ (outer * self.inner).mT)
        by_gates = gates.mT @ vectors  # (runs, units, dim)
        of_inner, of_outer = outer * by_gates, (self.inner * by_gates).sum(-1)
        if scalars is not None:
            squares = self.inner.square().sum(-1)
            weighted = slopes * scalars.unsqueeze(-1)
            bends = torch.addcmul(weighted, weighted, gates, value=-2)
            at_units = torch.addcmul(at_units, bends, (self.outer * squares).unsqueeze(-2))
            of_lengths = weighted.sum(-2)
            of_outer = of_outer + of_lengths * squares
            of_inner = of_inner + 2 * (of_lengths * self.outer).unsqueeze(-1) * self.inner
        return at_units @ self.inner, [of_inner + at_units.mT @ x, at_units.sum(-2), of_outer]


class Linear(NamedTuple):
    """b(x) = W x + c.

    >>> field = Linear(torch.tensor([[[0.0, -1.0], [1.0, 0.5]]]), torch.zeros(1, 2))
    >>> field(torch.tensor([[[1.0, 0.0]]])).tolist(), field.divergence(torch.zeros(1, 1, 2)).tolist()
    ([[[0.0, 1.0]]], [[0.5]])
    """

    matrix: Tensor  # W, (runs, dim, dim)
    shift: Tensor  # c, (runs, dim)

    def __call__(self, x: Tensor) -> Tensor:
        return _affine(x, self.matrix, self.shift)

    def divergence(self, x: Tensor) -> Tensor:
        trace = self.matrix.diagonal(dim1=-2, dim2=-1).sum(-1)  # (runs,)
        return trace.unsqueeze(-1).expand(x.shape[:-1])

    def inside(self, x: Tensor) -> tuple[Tensor, ...]:
        return ()

    def value(self, x: Tensor, inside: tuple[Tensor, ...]) -> Tensor:
        return self(x)

    def trace(self, x: Tensor, inside: tuple[Tensor, ...]) -> Tensor:
        return self.divergence(x)

    def pull_back(
        self, x: Tensor, inside: tuple[Tensor, ...], vectors: Tensor, scalars: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        of_matrix = vectors.mT @ x
        if scalars is not None:
            of_matrix.diagonal(dim1=-2, dim2=-1).add_(scalars.sum(-1, keepdim=True))
        return vectors @ self.matrix, [of_matrix, vectors.sum(-2)]


class Funnel(NamedTuple):
    """b(x) = (-beta, -alpha x_2, ..., -alpha x_d) in the ball of radius 25, and 0 outside it.

    The divergence is that of the inside: the jump at the sphere is left out, as it is in the paper.

    >>> field = Funnel(torch.tensor([2.0]), torch.tensor([3.0]))
    >>> field(torch.tensor([[[1.0, 1.0], [30.0, 0.0]]])).tolist()
    [[[-2.0, -3.0], [-0.0, -0.0]]]
    >>> field.divergence(torch.tensor([[[1.0, 1.0], [30.0, 0.0]]])).tolist()
    [[-3.0, -0.0]]
    """

    beta: Tensor  # (runs,)
    alpha: Tensor  # (runs,)

    def __call__(self, x: Tensor) -> Tensor:
        return self.value(x, self.inside(x))

    def divergence(self, x: Tensor) -> Tensor:
        return self.trace(x, self.inside(x))

    def inside(self, x: Tensor) -> tuple[Tensor, ...]:
        return ((x.square().sum(-1) < RADIUS**2).to(x),)

    def value(self, x: Tensor, inside: tuple[Tensor, ...]) -> Tensor:
        alpha, beta = (of[:, None, None] for of in (self.alpha, self.beta))
        return -inside[0].unsqueeze(-1) * torch.cat([beta.expand(*x.shape[:-1], 1), alpha * x[..., 1:]], -1)

    def trace(self, x: Tensor, inside: tuple[Tensor, ...]) -> Tensor:
        return -inside[0] * (x.shape[-1] - 1) * self.alpha.unsqueeze(-1)

    def pull_back(
        self, x: Tensor, inside: tuple[Tensor, ...], vectors: Tensor, scalars: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        vectors = -inside[0].unsqueeze(-1) * vectors
        first, others = vectors[..., :1], vectors[..., 1:]
        of_alpha = (others * x[..., 1:]).sum((-1, -2))
        if scalars is not None:
            of_alpha = of_alpha - (x.shape[-1] - 1) * (inside[0] * scalars).sum(-1)
        points = torch.cat([torch.zeros_like(first), self.alpha[:, None, None] * others], -1)
        return points, [first.sum((-1, -2)), of_alpha]


def softplus(x: Tensor) -> Tensor:
    """log(1 + e^x) = max(x, 0) + log(1 + e^-|x|); torch's own takes twice as long.

    >>> softplus(torch.tensor([-800.0, 0.0, 800.0], dtype=torch.float64)).tolist()
    [0.0, 0.6931471805599453, 800.0]
    """
    return x.clamp_min(0) + (-x.abs()).exp().add(1).log()


def _affine(x: Tensor, matrix: Tensor, bias: Tensor) -> Tensor:
    """W x + b."""
    return (x @ matrix.mT).add_(bias.unsqueeze(-2))
