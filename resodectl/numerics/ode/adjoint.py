"""Residual networks as integrations over depth, differentiated by backpropagation or by the memory-free adjoint.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612, section 4): the adjoint keeps the output only, walks the activations
back with the inverse scheme, and pulls the cotangent back through each step recomputed at the reconstruction.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, repeat
from typing import Any, Literal

import torch
from torch.autograd.function import once_differentiable

from resodectl.numerics.ode.schemes import Layer, Residual, Scheme, advance, retreat

Gradient = Literal["backprop", "adjoint", "unreconstructed"]

BLOCK_STEPS = 15
BLOCK_BYTES = 1024 * 1024
"""So many consecutive steps, with states of so many bytes in all, are pulled back by one call of the autograd engine:
such a call costs more time than a small layer. Large states go one by one; in no case does memory grow with depth."""


def layers_of(weights: Sequence[torch.Tensor], depth: int | None = None) -> list[Layer]:
    """The layers of stacked weights: `depth` tuples of views, the i-th of which holds `w[i]` for each stack `w`.

    Stacks whose first axis is 1 are one layer that is used `depth` times (tied weights). Raises `ValueError` if the
    stacks disagree with each other or with `depth`.

    >>> layers_of([torch.tensor([1.0])], depth=2)
    [(tensor(1.),), (tensor(1.),)]
    """
    lengths = {len(stack) for stack in weights}
    if len(lengths) != 1:
        raise ValueError(f"the stacks of weights must have one common depth as first axis, not {sorted(lengths)}")
    (length,) = lengths
    if depth is not None and length not in (1, depth):
        raise ValueError(f"weights of {length} layers cannot make a network of depth {depth}")
    layers = list(zip(*(stack.unbind(0) for stack in weights), strict=True))
    return layers if depth is None or length == depth else layers * depth


def trajectory(
    scheme: Scheme, residual: Residual, x: torch.Tensor, layers: Sequence[Layer], step: float
) -> Iterator[torch.Tensor]:
    """The states after each step, x_1, x_2, ..., one by one."""
    for n in range(_steps(scheme, layers)):
        x = advance(scheme, residual, x, layers[n : n + scheme.span + 1], step)
        yield x


def reconstruction(
    scheme: Scheme, residual: Residual, x: torch.Tensor, layers: Sequence[Layer], step: float
) -> Iterator[torch.Tensor]:
    """The states reconstructed from the output `x` by the inverse steps, deepest first, the input last."""
    for n in reversed(range(_steps(scheme, layers))):
        x = retreat(scheme, residual, x, layers[n : n + scheme.span + 1], step)
        yield x


def integrate(
    scheme: Scheme,
    residual: Residual,
    x: torch.Tensor,
    weights: Sequence[torch.Tensor],
    step: float,
    gradient: Gradient = "backprop",
    depth: int | None = None,
) -> torch.Tensor:
    """The output of a residual network for the input `x`; shapes are those of `residual`.

    Args:
        residual: f(x, theta), a function of its two arguments alone, with the shape of x. The adjoint evaluates it
            three times a stage and gives no gradient to anything else that it may hold.
        weights: stacks `(depth, ...)`, one for each tensor of theta. For tied weights, stacks `(1, ...)` and `depth`.
        step: the size of a step; 1/depth in the paper, for Heun too (which makes depth - 1 steps).
        gradient: `adjoint` keeps the output only: memory does not grow with depth, gradients are approximate.
            `unreconstructed` does as well, but takes the output for every activation: what a reconstruction is worth.

    Raises:
        ValueError: the stacks disagree about the depth, or have too few layers for one step.

    >>> from resodectl.numerics.ode.schemes import EULER
    >>> integrate(EULER, lambda x, theta: theta[0] * x, torch.tensor(4.0), [torch.tensor([1.0])], 0.5, depth=2)
    tensor(9.)
    """
    if gradient != "backprop":
        return _Adjoint.apply(scheme, residual, step, depth, gradient == "adjoint", x, *weights)
    for state in trajectory(scheme, residual, x, layers_of(weights, depth), step):
        x = state
    return x


def reconstruct(
    scheme: Scheme,
    residual: Residual,
    x: torch.Tensor,
    weights: Sequence[torch.Tensor],
    step: float,
    depth: int | None = None,
) -> torch.Tensor:
    """The input that the inverse steps reconstruct from the output `x` of `integrate`; see there for the arguments.

    >>> from resodectl.numerics.ode.schemes import EULER
    >>> reconstruct(EULER, lambda x, theta: theta[0] * x, torch.tensor(9.0), [torch.tensor([1.0])], 0.5, depth=2)
    tensor(2.2500)
    """
    for state in reconstruction(scheme, residual, x, layers_of(weights, depth), step):
        x = state
    return x


def pull_back(
    scheme: Scheme,
    residual: Residual,
    states: Iterable[torch.Tensor],
    weights: Sequence[torch.Tensor],
    step: float,
    cotangent: torch.Tensor,
    wanted: Sequence[bool],
    depth: int | None = None,
) -> tuple[torch.Tensor, list[torch.Tensor | None]]:
    """The cotangent of the output pulled back to the input and to the weights.

    Args:
        states: what the activations before each step are taken to be, deepest first: exact ones give the exact
            gradient, those of `reconstruction` the memory-free adjoint.
        wanted: which stacks of weights need a gradient.

    Returns the gradient for the input, and for each stack a gradient of its shape, or None where it is not wanted.
    """
    sums = [torch.zeros_like(stack) if want else None for stack, want in zip(weights, wanted, strict=True)]
    tied = len(weights[0]) == 1
    last = _steps(scheme, layers_of(weights, depth))
    block = max(1, min(BLOCK_STEPS, BLOCK_BYTES // max(1, cotangent.nbytes)))
    states = iter(states)
    while last > 0:
        first = max(0, last - block)
        rows = slice(0, 1) if tied else slice(first, last + scheme.span)
        windows = [stack.detach()[rows].requires_grad_(want) for stack, want in zip(weights, wanted, strict=True)]
        starts = list(islice(states, last - first))[::-1]
        cotangent = _pull_back_block(scheme, residual, starts, windows, step, cotangent)
        for total, window in zip(sums, windows, strict=True):
            if total is not None and window.grad is not None:
                total[rows] += window.grad
        last = first
    return cotangent, sums


def _pull_back_block(
    scheme: Scheme,
    residual: Residual,
    states: list[torch.Tensor],
    windows: Sequence[torch.Tensor],
    step: float,
    cotangent: torch.Tensor,
) -> torch.Tensor:
    """Pull back through consecutive steps, each recomputed at its own state; gradients go to the windows' `grad`."""
    with torch.enable_grad():
        layers = layers_of(windows, len(states) + scheme.span)
        x = start = states[0].detach().requires_grad_()
        for n, state in enumerate(states):
            if n > 0:
                x.detach().copy_(state)  # the graph leads through the step before, the value is the given one
            x = advance(scheme, residual, x, layers[n : n + scheme.span + 1], step)
    wanted = [window for window in windows if window.requires_grad]
    pulled_back, *gradients = torch.autograd.grad(x, [start, *wanted], cotangent, allow_unused=True)
    for window, gradient in zip(wanted, gradients, strict=True):
        window.grad = gradient
    return pulled_back


def _steps(scheme: Scheme, layers: Sequence[Layer]) -> int:
    steps = len(layers) - scheme.span
    if steps < 1:
        raise ValueError(f"the {scheme.name} scheme needs at least {scheme.span + 1} layers, got {len(layers)}")
    return steps


class _Adjoint(torch.autograd.Function):
    """The network as one node of the graph that saves its output and its weights, and nothing a layer."""

    @staticmethod
    def forward(
        ctx: Any,
        scheme: Scheme,
        residual: Residual,
        step: float,
        depth: int | None,
        reconstructed: bool,
        x: torch.Tensor,
        *weights: torch.Tensor,
    ) -> torch.Tensor:
        for state in trajectory(scheme, residual, x, layers_of(weights, depth), step):
            x = state
        ctx.network = scheme, residual, step, depth, reconstructed
        ctx.save_for_backward(x, *weights)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, cotangent: torch.Tensor) -> tuple[Any, ...]:
        scheme, residual, step, depth, reconstructed = ctx.network
        output, *weights = ctx.saved_tensors
        wanted = ctx.needs_input_grad[6:]
        states: Iterator[torch.Tensor] = repeat(output)
        if reconstructed:
            states = reconstruction(scheme, residual, output, layers_of(weights, depth), step)
        cotangent, gradients = pull_back(scheme, residual, states, weights, step, cotangent, wanted, depth)
        return None, None, None, None, None, cotangent if ctx.needs_input_grad[5] else None, *gradients
