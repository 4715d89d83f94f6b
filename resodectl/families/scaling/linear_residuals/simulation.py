"""Gradient descent on linear residual networks of several depths at once, all seeds side by side.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612), section 3. With M_n = I + A_n/N, P_n = M_0 ... M_{n-1}, S_n = M_n ...
M_{N-1} and the loss l = mean (X - B)^2, the gradient is dl/dA_n = (1/N) P_n^T E S_{n+1}^T, E = (2/d^2) (X - B): all
prefix and suffix products, O(N d^3) a step. With the learning rate eta N the descent discretizes dA_n/dt = -N dl/dA_n.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.scaling.linear_residuals.spec import Point
from resodectl.numerics.weights.depth import WeightKind, weights

DENSE = 40  # steps that are all logged; of later ones every tenth
SHOWN = (0, 1, 2, 4, 10, 100)  # steps whose weights are logged layer by layer, besides the last

Blocks = Iterator[tuple[str, dict[str, Any]]]


def simulate(cell: Cell[Point], context: Context) -> Blocks:
    point = cell.point
    target = torch.tensor(point.target, dtype=context.dtype, device=context.device)
    doubled = {2 * depth for depth in point.depths}
    depths = sorted({*point.depths, *doubled, point.reference, *point.shown})
    first = {depth: _initial(point, depth, context) for depth in depths}
    trained = {depth: first[depth].clone() for depth in depths}
    levels = torch.tensor(point.levels, dtype=context.dtype, device=context.device)[:, None]
    passages = {depth: torch.full((len(levels), len(cell.seeds)), point.steps + 1) for depth in point.depths}
    for step in range(point.steps + 1):
        found = {depth: gradient(trained[depth], target) for depth in depths}
        losses = {depth: (found[depth][0] - target).square().mean((1, 2)) for depth in point.depths}
        for depth, passed in passages.items():
            passed[(losses[depth] < levels).cpu() & (passed > step)] = step
        if step <= DENSE or step % 10 == 0 or step == point.steps:
            run = {"seed": np.array(cell.seeds), "step": step}
            outputs = {depth: output for depth, (output, _) in found.items()}
            for depth in point.depths:
                progress = _progress(depth, trained, first, outputs, point.reference)
                yield "training", run | {"depth": depth, "loss": losses[depth]} | progress
                for part, layers in (("weights", trained[depth]), ("change", trained[depth] - first[depth])):
                    yield "jumps", run | {"depth": depth, "part": part, "jump": _jump(layers)}
        if step in SHOWN or step == point.steps:
            for depth in point.shown:
                yield "layers", _layers(trained[depth], cell.seeds) | {"step": step, "depth": depth}
        for depth, (_, slope) in found.items():
            trained[depth] -= point.lr * depth ** (point.lr_exponent - 1) * slope
        if step % 16 == 0:
            context.progress(step / (point.steps + 1))
    for depth, passed in passages.items():
        of_each = {"seed": np.tile(cell.seeds, len(levels)), "level": np.repeat(point.levels, len(cell.seeds))}
        yield "passages", of_each | {"depth": depth, "passage": passed.flatten()}


def gradient(layers: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """X, `(seeds, d, d)`, and N dl/dA_n for all layers A, `(N, seeds, d, d)`."""
    depth, dim = len(layers), layers.shape[-1]
    factors = torch.eye(dim, dtype=layers.dtype, device=layers.device) + layers / depth
    prefixes = prefix_products(factors)
    suffixes = prefix_products(factors.flip(0).mT).flip(0)  # transposed: S_n^T, n = 0, ..., N
    output = prefixes[-1]
    error = 2 / dim**2 * (output - target)
    return output, prefixes[:-1].mT @ error @ suffixes[1:]


def prefix_products(factors: torch.Tensor) -> torch.Tensor:
    """I, M_0, M_0 M_1, ..., M_0 ... M_{N-1} of `(N, seeds, d, d)`, so `(N + 1, seeds, d, d)`.

    In blocks of about sqrt(N): first inside all blocks at once, then over the blocks' products, so that there are
    about 2 sqrt(N) operations in a row where a loop over the layers has N, and twice its arithmetic.
    """
    depth, seeds, dim = factors.shape[:3]
    length = math.isqrt(depth - 1) + 1
    count = -(-depth // length)
    identity = torch.eye(dim, dtype=factors.dtype, device=factors.device)
    padded = torch.cat([factors, identity.expand(count * length - depth, seeds, dim, dim)])
    inside = list(padded.unflatten(0, (count, length)).unbind(1))
    for place in range(1, length):
        inside[place] = inside[place - 1] @ inside[place]
    before = [identity.expand(seeds, dim, dim)]
    for block in inside[-1][:-1]:
        before.append(before[-1] @ block)
    products = torch.stack(before)[:, None] @ torch.stack(inside, 1)
    return torch.cat([identity.expand(1, seeds, dim, dim), products.flatten(0, 1)[:depth]])


def _initial(point: Point, depth: int, context: Context) -> torch.Tensor:
    shape = (len(point.target), len(point.target))
    if point.init == "zero":
        return torch.zeros(depth, len(context.seeds), *shape, dtype=context.dtype, device=context.device)
    kind: WeightKind = "smooth" if point.init == "smooth" else "iid"
    drawn = weights(kind, context.streams("weights"), depth, shape, context.dtype, context.device)
    return point.init_scale * drawn


def _progress(
    depth: int,
    trained: dict[int, torch.Tensor],
    first: dict[int, torch.Tensor],
    outputs: dict[int, torch.Tensor],
    reference: int,
) -> dict[str, torch.Tensor]:
    """The other columns of `training` for one depth at one step, `(seeds,)` each."""
    drift = _balance(trained[depth]) - _balance(first[depth])
    apart = trained[2 * depth].unflatten(0, (depth, 2)) - trained[depth][:, None]
    return {
        "doubling_distance": apart.flatten(3).norm(dim=3).amax((0, 1)),
        "output_distance": (outputs[depth] - outputs[reference]).flatten(1).norm(dim=1),
        "imbalance": depth * drift.flatten(2).norm(dim=2).amax(0),
        "change": (trained[depth] - first[depth]).flatten(2).norm(dim=2).amax(0),
    }


def _balance(layers: torch.Tensor) -> torch.Tensor:
    """M_n^T M_n - M_{n+1} M_{n+1}^T, which the flow conserves, `(N - 1, seeds, d, d)`."""
    factors = torch.eye(layers.shape[-1], dtype=layers.dtype, device=layers.device) + layers / len(layers)
    return factors[:-1].mT @ factors[:-1] - factors[1:] @ factors[1:].mT


def _jump(layers: torch.Tensor) -> torch.Tensor:
    return layers.diff(dim=0).flatten(2).norm(dim=2).amax(0)


def _layers(layers: torch.Tensor, seeds: tuple[int, ...]) -> dict[str, Any]:
    """The entries of all layers and seeds, one row each."""
    depth, _, dim, _ = layers.shape
    layer, seed, row, column = np.indices((depth, len(seeds), dim, dim)).reshape(4, -1)
    return {
        "layer": layer, "seed": np.array(seeds)[seed], "row": row, "column": column, "weight": layers.flatten(),
    }  # fmt: skip
