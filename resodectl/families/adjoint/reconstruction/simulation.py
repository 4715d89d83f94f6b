"""Reconstruction and gradient errors of the memory-free adjoint in untrained networks, all seeds side by side.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612), section 4. The a-priori bound on the reconstruction is derived from
x_n - y_n = x_{n+1} - y_{n+1} + [f(y_{n+1}, theta_n) - f(x_n, theta_n)] / N for the reconstructed states y_n.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.adjoint.reconstruction.spec import Point
from resodectl.numerics.draws import normal
from resodectl.numerics.networks.activations import ACTIVATIONS
from resodectl.numerics.networks.residuals import mlp
from resodectl.numerics.ode.adjoint import Gradient, integrate, layers_of, reconstruct, trajectory
from resodectl.numerics.ode.schemes import EULER, SCHEMES, Layer, Scheme
from resodectl.numerics.weights.depth import mlp_weights


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    point = cell.point
    scheme, residual = SCHEMES[point.scheme], mlp(ACTIVATIONS[point.activation].value)
    step = point.depth**-point.residual_exponent
    place = context.dtype, context.device
    streams = {name: context.streams("weights", name) for name in "WbV"}
    stacks = mlp_weights(point.weights, streams, point.depth, point.dim, point.hidden, *place)
    x = normal(context.streams("inputs"), (point.batch, point.dim), *place)
    target = normal(context.streams("targets"), (point.batch, point.dim), *place)

    def gradients(method: Gradient) -> tuple[torch.Tensor, ...]:
        """Of the loss |x_N - target|^2 / 2, averaged over inputs; a seed's loss depends on its own weights alone."""
        leaves = [stack.detach().requires_grad_() for stack in stacks]
        output = integrate(scheme, residual, x, leaves, step, method)
        loss = (output - target).square().sum() / (2 * point.batch)
        return torch.autograd.grad(loss, leaves)

    exact = gradients("backprop")
    context.progress(0.4)
    errors = [found - true for found, true in zip(gradients("adjoint"), exact, strict=True)]
    context.progress(0.8)
    states = [x, *trajectory(scheme, residual, x, layers_of(stacks), step)]
    found = reconstruct(scheme, residual, states[-1], stacks, step)
    leading = _leading_error(scheme, states, layers_of(stacks), point.activation, step)
    of_layers = _layer_norms(errors)
    yield (
        "errors",
        {
            "seed": np.array(cell.seeds),
            "reconstruction_error": _per_seed(_rms(x - found) / _rms(found)),
            "gradient_error": _per_seed(of_layers.norm(dim=0) / _layer_norms(exact).norm(dim=0)),
            "layer_gradient_error": _per_seed(of_layers.amax(0)),
            "leading_gap": _per_seed(_rms(found - x - leading) / _rms(found - x)),
            "distance": _per_seed((x - found).norm(dim=-1).amax(1)),
            "distance_bound": _per_seed(_distance_bound(scheme, states, stacks, point.activation, step)),
        },
    )


def _leading_error(
    scheme: Scheme, states: Sequence[torch.Tensor], layers: Sequence[Layer], activation: str, step: float
) -> torch.Tensor:
    """The leading term of y_0 - x_0, `(seeds, batch, dim)`: the leading defects of all inverse steps, carried back.

    With h = `step`, f_n the residual function of layer n and all functions at x_n: the defect of an inverse step of
    Euler is -h^2 df_n f_n, that of Heun (h^2/4) (df_{n+1} - df_n) (f_n - f_{n+1}). For affine f_n and Euler, exact.
    """
    act = ACTIVATIONS[activation].derivatives

    def along(layer: Layer, x: torch.Tensor) -> tuple[torch.Tensor, Callable[[torch.Tensor], torch.Tensor]]:
        """f(x), and v -> df(x) v."""
        first, bias, second = layer
        hidden = act(torch.baddbmm(bias, x, first))
        return torch.bmm(hidden.value, second), lambda v: torch.bmm(torch.bmm(v, first) * hidden.slope, second)

    error = torch.zeros_like(states[0])
    for n in reversed(range(len(states) - 1)):
        here, of_here = along(layers[n], states[n])
        if scheme is EULER:
            error = error - step * of_here(error + step * here)
        else:
            there, of_there = along(layers[n + 1], states[n])
            jump = step / 2 * (here - there)
            error = error - step / 2 * (of_here(error + jump) + of_there(error - jump))
    return error


def _distance_bound(
    scheme: Scheme, states: Sequence[torch.Tensor], stacks: Sequence[torch.Tensor], activation: str, step: float
) -> torch.Tensor:
    """(C/N) ((1 + L/N)^N - 1) for each seed, as if the step were 1/N; L bounds the Lipschitz constants of all layers.

    C is the largest norm of a residual on the trajectory: for Euler, of (x_{n+1} - x_n) / step.
    """
    depth, seeds = stacks[0].shape[:2]
    if scheme is not EULER:
        return torch.full((seeds,), torch.nan, dtype=torch.float64)
    residuals = [(after - before).norm(dim=-1).amax(1) / step for before, after in pairwise(states)]
    first, second = (torch.linalg.matrix_norm(stack, 2) for stack in (stacks[0], stacks[2]))
    lipschitz = ACTIVATIONS[activation].lipschitz * (first * second).amax(0)
    largest = torch.stack(residuals).amax(0)
    return largest.double() / depth * torch.expm1(depth * torch.log1p(lipschitz.double() / depth))


def _layer_norms(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """The joint norm of all tensors of a layer, `(depth, seeds)`, of stacks `(depth, seeds, ...)`."""
    return torch.stack([tensor.flatten(2).norm(dim=2) for tensor in tensors]).norm(dim=0)


def _rms(x: torch.Tensor) -> torch.Tensor:
    return x.square().mean(dim=(1, 2)).sqrt()


def _per_seed(values: torch.Tensor) -> torch.Tensor:
    return values.detach().cpu().double()
