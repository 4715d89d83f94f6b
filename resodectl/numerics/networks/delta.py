"""Residual networks h_{k+1} = h_k + delta_k act(A_k h_k + b_k) in one dimension, without first and last layers.

Cohen, Cont, Rossier & Xu 2021 (arXiv 2105.12245). The networks of several seeds run side by side. Such networks are so
small that a pass costs as much as its calls: forward and backward write into buffers that are allocated once, and the
loop over layers does nothing but the recursion p_k = p_{k+1} + A_k^T (delta_k act'(z_k) p_{k+1}) itself.
"""

from typing import NamedTuple

import torch

from resodectl.numerics.networks.activations import IN_PLACE, InPlaceName


class Stack(NamedTuple):
    """Parameters, or their gradients: matrices `(depth, seeds, dim, dim)`, biases `(depth, seeds, dim)`, and deltas
    `(depth, seeds)`, or `(1, seeds)` where all layers share one; a shared delta is used as its absolute value."""

    matrices: torch.Tensor
    biases: torch.Tensor
    deltas: torch.Tensor

    @property
    def steps(self) -> torch.Tensor:
        """What the residuals are multiplied by, `(depth or 1, seeds)`."""
        return self.deltas.abs() if self.shared else self.deltas

    @property
    def shared(self) -> bool:
        """Whether all layers share one delta."""
        return len(self.deltas) < len(self.matrices)

    def of_layers(self) -> list[torch.Tensor]:
        """What the residual of every layer is multiplied by, `(seeds, 1, 1)` each."""
        steps = self.steps[..., None, None]
        return [steps[0]] * len(self.matrices) if self.shared else list(steps)


class Passes:
    """Forward and backward passes of one stack of parameters, which may change in place between them.

    Columns are examples: inputs and targets are `(seeds, dim, batch)`. The loss of a seed is the mean of
    (h_depth - target)^2 over examples and coordinates.
    """

    def __init__(self, stack: Stack, activation: InPlaceName, batch: int) -> None:
        depth, seeds, dim, _ = stack.matrices.shape
        self.stack, self.activation = stack, IN_PLACE[activation]

        def buffer(length: int) -> torch.Tensor:
            return stack.matrices.new_empty((length, seeds, dim, batch))

        self._states, self._active = buffer(depth + 1), buffer(depth)
        self._cotangents, self._local = buffer(depth + 1), buffer(depth)
        self._layers = list(zip(stack.matrices, stack.biases.unsqueeze(-1), strict=True))
        self._transposed = stack.matrices.transpose(2, 3).unbind()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """The last states `(seeds, dim, batch)`; they change with the next call."""
        act, steps = self.activation.value, self.stack.of_layers()
        self._states[0] = inputs
        states, active = self._states.unbind(), self._active.unbind()
        for k, (matrix, bias) in enumerate(self._layers):
            act(torch.baddbmm(bias, matrix, states[k], out=active[k]))
            torch.addcmul(states[k], active[k], steps[k], out=states[k + 1])
        return states[-1]

    def gradients(self, inputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, Stack]:
        """The loss of each seed and the gradients of all parameters, each seed's of its loss alone."""
        defect = self.forward(inputs).sub(targets)
        slope = self.activation.slope(self._active).to(defect.dtype)
        gains = slope.mul_(self.stack.steps[..., None, None]).unbind()
        torch.mul(defect, 2 / defect[0].numel(), out=self._cotangents[-1])
        cotangents, local = self._cotangents.unbind(), self._local.unbind()
        for k in reversed(range(len(self._layers))):
            torch.mul(cotangents[k + 1], gains[k], out=local[k])
            torch.baddbmm(cotangents[k + 1], self._transposed[k], local[k], out=cotangents[k])
        of_matrices = torch.matmul(self._local, self._states[:-1].transpose(2, 3))
        of_steps = torch.linalg.vecdot(self._cotangents[1:].flatten(2), self._active.flatten(2))
        of_deltas = of_steps.sum(0, keepdim=True) * self.stack.deltas.sign() if self.stack.shared else of_steps
        return defect.square_().mean((1, 2)), Stack(of_matrices, self._local.sum(3), of_deltas)


def outputs(stack: Stack, activation: InPlaceName, inputs: torch.Tensor) -> torch.Tensor:
    """The last states of `inputs`, `(seeds, dim, batch)` both, in memory that does not grow with the depth.

    >>> stack = Stack(torch.ones(2, 1, 1, 1), torch.zeros(2, 1, 1), torch.full((1, 1), 0.5))
    >>> outputs(stack, "relu", torch.tensor([[[1.0, -1.0]]]))
    tensor([[[ 2.2500, -1.0000]]])
    """
    act, steps, state = IN_PLACE[activation].value, stack.of_layers(), inputs.clone()
    for matrix, bias, step in zip(stack.matrices, stack.biases.unsqueeze(-1), steps, strict=True):
        state.addcmul_(act(torch.baddbmm(bias, matrix, state)), step)
    return state
