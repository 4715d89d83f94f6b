"""Residual networks h_{k+1} = h_k + delta_k act(A_k h_k + b_k) in one dimension, without first and last layers.

Cohen, Cont, Rossier & Xu 2021 (arXiv 2105.12245). The networks of several seeds run side by side. Such networks are so
small that a pass costs as much as its calls and its way through memory: all passes write into buffers that are
allocated once, and the backward pass takes a few layers at a time, so that what it needs of them stays in the cache.
"""

from typing import NamedTuple

import torch

from resodectl.numerics.networks.activations import InPlace

CHUNK = 8  # layers whose gradients are taken at once


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

    def __init__(self, stack: Stack, activation: InPlace, batch: int) -> None:
        depth, seeds, dim, _ = stack.matrices.shape
        self.stack, self.activation = stack, activation

        def buffer(length: int, *shape: int) -> torch.Tensor:
            return stack.matrices.new_empty((length, seeds, *shape))

        chunk = min(CHUNK, depth)
        self._states, self._active = buffer(depth + 1, dim, batch), buffer(depth, dim, batch)
        self._cotangents, self._local, self._gains = (buffer(chunk + more, dim, batch) for more in (1, 0, 0))
        self._rows = buffer(chunk, batch, dim)
        self._slopes = Stack(torch.empty_like(stack.matrices), torch.empty_like(stack.biases), buffer(depth))
        # Views cost as much as products of matrices this small: those of single layers are made once.
        states = self._states.unbind()
        self._forward = list(
            zip(stack.matrices, stack.biases.unsqueeze(-1), states, states[1:], self._active, strict=False)
        )
        self._transposed = stack.matrices.transpose(2, 3).unbind()
        cotangents = self._cotangents.unbind()
        self._backward = list(zip(cotangents[1:], cotangents, self._gains, self._local, strict=False))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """The last states `(seeds, dim, batch)`; they change with the next call."""
        act = self.activation.value
        self._states[0] = inputs
        for (matrix, bias, before, after, active), step in zip(self._forward, self.stack.of_layers(), strict=True):
            act(torch.baddbmm(bias, matrix, before, out=active))
            torch.addcmul(before, active, step, out=after)
        return self._states[-1]

    def gradients(self, inputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, Stack]:
        """The loss of each seed and the gradients of all parameters, each seed's of its loss alone.

        The gradients stand in buffers that change with the next call.
        """
        defect = self.forward(inputs).sub(targets)
        cotangent = torch.mul(defect, 2 / defect[0].numel())
        for end in range(len(self._forward), 0, -CHUNK):
            cotangent = self._descend(cotangent, max(0, end - CHUNK), end)
        slopes = self._slopes
        if self.stack.shared:
            slopes = slopes._replace(deltas=slopes.deltas.sum(0, keepdim=True) * self.stack.deltas.sign())
        return defect.square_().mean((1, 2)), slopes

    def _descend(self, cotangent: torch.Tensor, start: int, end: int) -> torch.Tensor:
        """From the loss's gradient by the states after layer end - 1 to that by the states before layer `start`.

        p_k = p_{k+1} + A_k^T (delta_k act'(z_k) p_{k+1}); the gradients of these layers' parameters are kept.
        """
        count, stack = end - start, self.stack
        active, steps = self._active[start:end], stack.steps if stack.shared else stack.steps[start:end]
        cotangents, local, gains = self._cotangents[: count + 1], self._local[:count], self._gains[:count]
        self.activation.slope(active, gains).mul_(steps[..., None, None])
        cotangents[count] = cotangent
        for transposed, (after, before, gain, at) in zip(
            reversed(self._transposed[start:end]), reversed(self._backward[:count]), strict=True
        ):
            torch.mul(after, gain, out=at)
            torch.baddbmm(after, transposed, at, out=before)
        rows = self._rows[:count].copy_(self._states[start:end].transpose(2, 3))  # a product of rows is twice as fast
        matrices, biases, deltas = (part[start:end] for part in self._slopes)
        torch.bmm(local.flatten(0, 1), rows.flatten(0, 1), out=matrices.flatten(0, 1))
        torch.sum(local, 3, out=biases)
        torch.linalg.vecdot(cotangents[1:].flatten(2), active.flatten(2), out=deltas)
        return cotangents[0]


def outputs(stack: Stack, activation: InPlace, inputs: torch.Tensor) -> torch.Tensor:
    """The last states of `inputs`, `(seeds, dim, batch)` both, in memory that does not grow with the depth.

    >>> from resodectl.numerics.networks.activations import in_place
    >>> stack = Stack(torch.ones(2, 1, 1, 1), torch.zeros(2, 1, 1), torch.full((1, 1), 0.5))
    >>> outputs(stack, in_place("relu"), torch.tensor([[[1.0, -1.0]]]))
    tensor([[[ 2.2500, -1.0000]]])
    """
    act, steps, state = activation.value, stack.of_layers(), inputs.clone()
    for matrix, bias, step in zip(stack.matrices, stack.biases.unsqueeze(-1), steps, strict=True):
        state.addcmul_(act(torch.baddbmm(bias, matrix, state)), step)
    return state
