"""Norms of hidden states and gradients at initialisation: all draws side by side, all inputs and scales as columns.

Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929), Figure 7. All scaling exponents see the same weights, and all
Hurst indices weights from the same Gaussian draws, so that the map is smooth. The loss is (B h_L - y)^2, of one output:
its gradient p_L in h_L is a multiple of B^T, and |p_0 - p_L| / |p_L| does not depend on which. Each input through a
draw of the layers has a first layer A and a last layer B of its own: the norms of each have the same law as with common
ones, but directions are averaged over within a draw.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.scaling.hurst_map.spec import Point
from resodectl.numerics.draws import uniform
from resodectl.numerics.propagation.residual_norms import backward, forward, random_layers, relative_change


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    point, betas = cell.point, cell.point.betas.values()
    streams = {name: context.streams("weights", name) for name in ("V", "Theta")}
    layers = random_layers(point.architecture, "fbm", streams, point.depth, point.dim, 1, point.hurst, *_place(context))
    alpha = torch.tensor([point.depth**-beta for beta in betas], dtype=context.dtype, device=context.device)
    alpha = alpha.repeat_interleave(point.inputs)
    first, last = (draw(point, context).repeat(1, 1, len(betas)) for draw in (_first_states, _last_gradients))
    context.progress(0.3)
    end, slopes = forward(layers, first, alpha)
    context.progress(0.6)
    changes = {"out": relative_change(first, end), "grad": relative_change(last, backward(layers, last, alpha, slopes))}
    columns: dict[str, Any] = {"beta": np.tile(betas, len(cell.seeds)), "seed": np.repeat(cell.seeds, len(betas))}
    for name, change in changes.items():
        columns |= summary(change.unflatten(1, (len(betas), point.inputs)).flatten(0, 1), name, point.cap)
    yield "norms", columns


def summary(changes: torch.Tensor, name: str, cap: float) -> dict[str, torch.Tensor]:
    """The columns of a log for relative changes `(places, inputs)`: NaN and infinity count as 10^cap, as is usual.

    No change at all, which a ReLU that lets nothing pass makes, counts as 10^-cap.
    """
    logs = torch.log10(changes).nan_to_num(nan=cap, posinf=cap).clamp(-cap, cap)
    square = torch.log10(changes.square().mean(1)).nan_to_num(nan=2 * cap, posinf=2 * cap) / 2
    return {
        f"log10_{name}": logs.mean(1),
        f"log10_rms_{name}": square.clamp(-cap, cap),
        f"capped_{name}": (logs >= cap).double().mean(1),
    }


def _first_states(point: Point, context: Context) -> torch.Tensor:
    """h_0 = A x for x uniform on [0, 1], `(seeds, dim, inputs)`; each input has an A of its own."""
    x = uniform(context.streams("inputs"), (point.inputs, point.pixels, 1), 0, 1, *_place(context))
    a = _uniform_entries(context, "A", (point.inputs, point.dim, point.pixels), point.pixels)
    return (a @ x).squeeze(3).transpose(1, 2)


def _last_gradients(point: Point, context: Context) -> torch.Tensor:
    """p_L = B^T up to a factor, `(seeds, dim, inputs)`; each input has a B of its own."""
    return _uniform_entries(context, "B", (point.dim, point.inputs), point.dim)


def _uniform_entries(context: Context, name: str, shape: tuple[int, ...], fan_in: int) -> torch.Tensor:
    """Entries uniform around zero, of variance 1 / fan-in, `(seeds, *shape)`."""
    bound = math.sqrt(3 / fan_in)
    return uniform(context.streams("weights", name), shape, -bound, bound, *_place(context))


def _place(context: Context) -> tuple[torch.dtype, torch.device]:
    return context.dtype, context.device
