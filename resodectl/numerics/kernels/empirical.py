"""Empirical tangent kernels K = J J^T of a network at given weights: block by block, part by part, and as an operator.

J is the Jacobian of all outputs in the weights: its rows are the gradients of each output of each input. (Jacot,
Gabriel & Hongler 2018, arXiv 1806.07572; Chizat, Oyallon & Bach 2019, arXiv 1812.07956: lazy training is regression in
K.)
Rows and columns of kernels count inputs first and outputs within: (input 0, output 0), (input 0, output 1), ...
"""

from collections.abc import Callable, Sequence

import torch
from torch.func import jacrev, jvp, vjp, vmap

Model = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Flat weights `(size,)` and inputs `(n, ...)` -> outputs `(n, outputs)`, each of its input alone."""

BLOCK = 50  # inputs whose gradients are taken, and kept, at once


def jacobian(model: Model, weights: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """The gradients of all outputs at each input, `(n, outputs, size)`, all at once.

    >>> model = lambda w, x: torch.stack([x @ w, (x @ w) ** 2], 1)
    >>> jacobian(model, torch.tensor([1.0, 2.0]), torch.tensor([[1.0, 1.0]]))
    tensor([[[1., 1.],
             [6., 6.]]])
    """
    gradients = jacrev(lambda w, x: model(w, x.unsqueeze(0)).squeeze(0))
    with torch.no_grad():
        rows: torch.Tensor = vmap(gradients, (None, 0))(weights.detach(), inputs)
    return rows


def kernel(
    model: Model,
    weights: torch.Tensor,
    inputs: torch.Tensor,
    others: torch.Tensor | None = None,
    *,
    block: int = BLOCK,
) -> torch.Tensor:
    """The tangent kernel of `inputs` with `others`, or with themselves: `(n outputs, m outputs)`.

    The gradients of at most two blocks of `block` inputs are in memory at once; where there are several blocks, those
    of the second are taken anew for each of the first.

    >>> kernel(lambda w, x: x @ w.view(2, 1), torch.ones(2), torch.tensor([[1.0, 2.0], [3.0, 0.0]]))
    tensor([[5., 3.],
            [3., 9.]])
    """
    if others is None:
        return kernel_parts(model, weights, inputs, [len(weights)], block=block)[0]
    parts, columns = inputs.split(block), others.split(block)
    rows = [[_rows(model, weights, part) @ _rows(model, weights, of).T for of in columns] for part in parts]
    return torch.cat([torch.cat(row, 1) for row in rows])


def kernel_parts(
    model: Model, weights: torch.Tensor, inputs: torch.Tensor, sizes: Sequence[int], *, block: int = BLOCK
) -> torch.Tensor:
    """What each part of the weights adds to the kernel, `(parts, n outputs, n outputs)`; their sum is the kernel.

    Args:
        sizes: how many of the flat weights each part has, in order, such as those of the tensors of each layer.
        block: see `kernel`.

    Raises:
        ValueError: the sizes do not sum to that of the weights.
    """
    if sum(sizes) != len(weights):
        raise ValueError(f"parts of {sum(sizes)} weights in all, where there are {len(weights)}")
    blocks = inputs.split(block)
    table: list[list[torch.Tensor]] = []
    for i, rows_of in enumerate(blocks):
        table.append([table[j][i].mT for j in range(i)])
        own = _rows(model, weights, rows_of).split(list(sizes), 1)
        for j in range(i, len(blocks)):
            other = own if j == i else _rows(model, weights, blocks[j]).split(list(sizes), 1)
            table[i].append(torch.stack([left @ right.T for left, right in zip(own, other, strict=True)]))
    return torch.cat([torch.cat(row, 2) for row in table], 1)


class KernelOperator:
    """The tangent kernel as an operator: a product is one backward and one forward derivative, and nothing is stored.

    >>> operator = KernelOperator(lambda w, x: x @ w.view(2, 1), torch.ones(2), torch.tensor([[1.0, 2.0], [3.0, 0.0]]))
    >>> operator @ torch.tensor([1.0, 0.0])
    tensor([5., 3.])
    """

    def __init__(self, model: Model, weights: torch.Tensor, inputs: torch.Tensor) -> None:
        self._outputs = lambda w: model(w, inputs)
        self._weights = weights.detach()

    def pull(self, vector: torch.Tensor) -> torch.Tensor:
        """J^T times a vector `(n outputs,)`: `(size,)`."""
        outputs, back = vjp(self._outputs, self._weights)[:2]
        (gradient,) = back(vector.view_as(outputs))
        return torch.as_tensor(gradient)

    def push(self, direction: torch.Tensor) -> torch.Tensor:
        """J times a direction of the weights `(size,)`: `(n outputs,)`."""
        moved = jvp(self._outputs, (self._weights,), (direction,))[1]
        return torch.as_tensor(moved).flatten()

    def __matmul__(self, vector: torch.Tensor) -> torch.Tensor:
        """The kernel times a vector `(n outputs,)`."""
        return self.push(self.pull(vector))


def _rows(model: Model, weights: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """The Jacobian as a matrix, `(n outputs, size)`."""
    return jacobian(model, weights, inputs).flatten(0, 1)
