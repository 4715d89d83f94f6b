"""The mean squared error of perceptrons, its gradient and its Hessian by hand, for several runs.

Without autograd: backpropagation, and Pearlmutter's forward derivative of it for products with the Hessian (Neural
Computation 6, 1994), as batched matrix products over runs.
With a_0 = x, z_l = W_l a_{l-1} + b_l, a_l = act(z_l), and d_l the derivative of the loss by z_l: a direction V moves
z_l by Rz_l = W_l Ra_{l-1} + V_l a_{l-1} and d_l by Rd_l = act'(z_l) (W^T Rd + V^T d)_{l+1} + act''(z_l) (W^T d)_{l+1}
Rz_l. Per product this saves the graph that double backward walks through: it is what `operators.Hessian` computes.
"""

import copy
from collections.abc import Callable, Sequence
from functools import cached_property

import torch

from resodectl.numerics.networks.perceptron import Perceptron, affine


class MeanSquareHessian:
    """Loss, gradient and Hessian (an `Operator`) of factor / n sum_i |f(x_i) - y_i|^2 for every run.

    Args:
        weights: `(runs, size)`.
        inputs, targets: `(n, inputs)` and `(n, outputs)`, the same for all runs.
        factor: 1/2 in Cohen et al. 2021 (arXiv 2103.00065), 1 in Arora, Li & Panigrahi 2022 (arXiv 2205.09745).

    >>> line = Perceptron((1, 1))
    >>> hessian = MeanSquareHessian(
    ...     line, torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0], [2.0]]), torch.zeros(2, 1), factor=0.5
    ... )
    >>> hessian @ torch.tensor([[1.0, 0.0]])
    tensor([[2.5000, 1.5000]])
    """

    def __init__(
        self, network: Perceptron, weights: torch.Tensor, inputs: torch.Tensor, targets: torch.Tensor, factor: float
    ) -> None:
        self._network, self._weights, self._layers = network, weights, network.layers(weights)
        self._scale = 2 * factor / len(inputs)
        self._values = [inputs.expand(len(weights), -1, -1)]
        self._slopes: list[torch.Tensor] = []
        seconds: list[Callable[[], torch.Tensor]] = []
        for layer in self._layers[:-1]:
            value, slope, second = network.activation.derivatives(affine(self._values[-1], *layer))
            self._values.append(value)
            self._slopes.append(slope)
            seconds.append(second)
        self.outputs = affine(self._values[-1], *self._layers[-1])
        residuals = self.outputs - targets
        self.loss = residuals.square().sum((1, 2)) * (self._scale / 2)
        deltas = [self._scale * residuals]
        above: list[torch.Tensor] = []  # (W^T d)_{l+1}
        for (matrix, _), slope in zip(self._layers[:0:-1], self._slopes[::-1], strict=True):
            above.insert(0, torch.bmm(deltas[0], matrix))
            deltas.insert(0, above[0] * slope)
        self._deltas = deltas
        self._seconds, self._above = seconds, above
        parts = [torch.bmm(d.transpose(1, 2), a) for d, a in zip(deltas, self._values, strict=True)]
        self.gradient = self._flat(parts, deltas)

    @cached_property
    def _bends(self) -> list[torch.Tensor]:
        """act''(z_l) (W^T d)_{l+1}, which the gradient does without."""
        return [second() * above for second, above in zip(self._seconds, self._above, strict=True)]

    def __matmul__(self, vectors: torch.Tensor) -> torch.Tensor:
        """The Hessian of every run times its vector, `(runs, size)`, or a block `(vectors, runs, size)`."""
        return torch.vmap(self._product)(vectors) if vectors.dim() == 3 else self._product(vectors)

    def narrowed(self, chosen: torch.Tensor) -> "MeanSquareHessian":
        """The same of the runs with these indices."""
        part = copy.copy(self)
        part.loss, part.gradient, part._weights = self.loss[chosen], self.gradient[chosen], self._weights[chosen]
        part._layers = self._network.layers(part._weights)
        part._values = [self._values[0][: len(chosen)], *(value[chosen] for value in self._values[1:])]
        part._slopes, part._deltas, part._bends = (
            [of_layer[chosen] for of_layer in tensors] for tensors in (self._slopes, self._deltas, self._bends)
        )
        return part

    def _product(self, vectors: torch.Tensor) -> torch.Tensor:
        moves = self._network.layers(vectors)
        heights: list[torch.Tensor] = []  # Rz_l
        values: list[torch.Tensor] = []  # Ra_l
        for level, (move, layer) in enumerate(zip(moves, self._layers, strict=True)):
            height = affine(self._values[level], *move)
            if level:
                height = torch.baddbmm(height, values[-1], layer[0].transpose(1, 2))
            heights.append(height)
            if level < len(self._slopes):
                values.append(self._slopes[level] * height)
        delta = self._scale * heights[-1]
        deltas, parts = [delta], [torch.bmm(delta.transpose(1, 2), self._values[-1])]
        for level in range(len(self._slopes), 0, -1):
            parts[0] = torch.baddbmm(parts[0], self._deltas[level].transpose(1, 2), values[level - 1])
            above = torch.baddbmm(torch.bmm(delta, self._layers[level][0]), self._deltas[level], moves[level][0])
            delta = above * self._slopes[level - 1] + self._bends[level - 1] * heights[level - 1]
            deltas.insert(0, delta)
            parts.insert(0, torch.bmm(delta.transpose(1, 2), self._values[level - 1]))
        return self._flat(parts, deltas)

    def _flat(self, matrices: Sequence[torch.Tensor], deltas: Sequence[torch.Tensor]) -> torch.Tensor:
        flat = [part for m, d in zip(matrices, deltas, strict=True) for part in (m.flatten(1), d.sum(1))]
        return torch.cat(flat if self._network.output_bias else flat[:-1], 1)
