"""Hessians of losses as linear operators on flat weights, for several runs (seeds, step sizes) side by side.

Weights and vectors are `(runs, size)`, and a loss function maps weights to one loss a run, `(runs,)`, that depends on
the weights of that run alone: then the Hessian of their sum is block-diagonal, and one product serves all runs.
Products are by double backward (Pearlmutter 1994, Fast exact multiplication by the Hessian) through a gradient whose
graph is built once and kept, which is what makes a product cost about as much as a gradient.

curvlinops has such operators too, for one run at a time and as a scipy operator on numpy vectors. It lacks the axis of
runs, gradients and products from one graph, sqrt(L), and the sphere.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch

Losses = Callable[[torch.Tensor], torch.Tensor]
"""Weights `(runs, size)` -> losses `(runs,)`."""


class Operator(Protocol):
    """A block-diagonal Hessian, and the losses `(runs,)` and gradients `(runs, size)` where it was taken."""

    loss: torch.Tensor
    gradient: torch.Tensor

    def __matmul__(self, vectors: torch.Tensor) -> torch.Tensor:
        """The Hessian of every run times its vector: `(runs, size)`, or a block `(vectors, runs, size)` of them."""
        ...


class Hessian:
    """The Hessian of `losses` at `weights`, with the graph of the gradient kept from product to product.

    >>> hessian = Hessian(lambda w: (w**3).sum(1), torch.tensor([[1.0, 2.0]]))
    >>> hessian @ torch.tensor([[1.0, 1.0]])
    tensor([[ 6., 12.]])
    """

    def __init__(self, losses: Losses, weights: torch.Tensor) -> None:
        with torch.enable_grad():
            self._weights = weights.detach().requires_grad_()
            loss = losses(self._weights)
            (self._slope,) = torch.autograd.grad(loss.sum(), self._weights, create_graph=True)
        self.loss, self.gradient = loss.detach(), self._slope.detach()

    def __matmul__(self, vectors: torch.Tensor) -> torch.Tensor:
        """See `Operator`; a block of vectors is one vmapped pass."""
        block = vectors.dim() > self._weights.dim()
        (product,) = torch.autograd.grad(
            self._slope, self._weights, vectors, retain_graph=True, is_grads_batched=block, materialize_grads=True
        )
        return product


class SummedHessian:
    """The Hessian of a sum of losses, such as those of parts of a data set too large for one graph.

    The graph of each part is built anew for every product and dropped: the memory is that of one part.
    """

    def __init__(self, parts: Sequence[Losses], weights: torch.Tensor) -> None:
        self._parts, self._weights = parts, weights.detach()
        self.loss, self.gradient = torch.zeros_like(weights[:, 0]), torch.zeros_like(weights)
        for losses in parts:
            with torch.enable_grad():
                leaf = weights.detach().requires_grad_()
                loss = losses(leaf)
                (slope,) = torch.autograd.grad(loss.sum(), leaf)
            self.loss += loss.detach()
            self.gradient += slope

    def __matmul__(self, vectors: torch.Tensor) -> torch.Tensor:
        """See `Operator`."""
        product = torch.zeros_like(vectors)
        for losses in self._parts:
            product += Hessian(losses, self._weights) @ vectors
        return product


class SquareRootHessian:
    """The Hessian of sqrt(L) from an operator of L: Hess sqrt(L) = (2 L Hess L - grad L grad L^T) / (4 L^(3/2)).

    Where L = 0 it does not exist, and products are not finite. (Arora, Li & Panigrahi 2022, arXiv 2205.09745.)

    >>> hessian = Hessian(lambda w: (w**4).sum(1), torch.tensor([[2.0]]))
    >>> SquareRootHessian(hessian) @ torch.tensor([[1.0]])
    tensor([[2.]])
    """

    def __init__(self, hessian: Operator) -> None:
        self._hessian, self._root = hessian, hessian.loss.sqrt().unsqueeze(1)
        self.loss = hessian.loss.sqrt()
        self.gradient = hessian.gradient / (2 * self._root)

    def __matmul__(self, vectors: torch.Tensor) -> torch.Tensor:
        """See `Operator`."""
        along = (self.gradient * vectors).sum(-1, keepdim=True)
        return (self._hessian @ vectors / 2 - self.gradient * along) / self._root


def spherical_hessian(losses: Losses, weights: torch.Tensor) -> Hessian:
    """The Hessian of scale-invariant losses at w / |w|, whose sharpness does not change with the norm of w.

    It is |w|^2 times the Hessian at w (Lyu, Li & Arora 2022, arXiv 2206.07085: spherical sharpness).
    """
    return Hessian(losses, weights / weights.norm(dim=1, keepdim=True))


def dense(operator: Operator, block: int = 256) -> torch.Tensor:
    """The Hessian of every run as a matrix, `(runs, size, size)`, from products with `block` unit vectors at a time.

    >>> dense(Hessian(lambda w: w[:, 0] ** 2 * w[:, 1], torch.tensor([[1.0, 2.0]])))
    tensor([[[4., 2.],
             [2., 0.]]])
    """
    runs, size = operator.gradient.shape
    rows = torch.eye(size, dtype=operator.gradient.dtype, device=operator.gradient.device)
    return torch.cat([operator @ part.unsqueeze(1).expand(-1, runs, -1) for part in rows.split(block)]).transpose(0, 1)
