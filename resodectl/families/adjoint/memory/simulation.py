"""Bytes kept for the backward pass, and most bytes alive, of one forward and backward pass through a tied network.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612) plot the resident memory of the process; here bytes are counted, so the
numbers are exact and always the same.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.adjoint.memory.counting import counting_saved_bytes, peak_bytes
from resodectl.families.adjoint.memory.spec import Point
from resodectl.numerics.draws import normal
from resodectl.numerics.networks.residuals import mlp
from resodectl.numerics.ode.adjoint import integrate
from resodectl.numerics.ode.schemes import EULER
from resodectl.numerics.weights.depth import mlp_weights


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    point = cell.point
    place = context.dtype, context.device
    streams = {name: context.streams("weights", name) for name in "WbV"}
    stacks = [stack.requires_grad_() for stack in mlp_weights("tied", streams, 1, point.dim, point.hidden, *place)]
    x = normal(context.streams("inputs"), (point.batch, point.dim), *place)

    def loss() -> torch.Tensor:
        output = integrate(EULER, mlp(), x, stacks, 1 / point.depth, point.method, point.depth)
        return output.square().mean()

    with counting_saved_bytes(exclude=[*stacks, x]) as saved:
        loss()
    kept = saved.total
    saved.clear()
    yield (
        "memory",
        {
            "seed": np.array(cell.seeds),
            "saved_bytes": kept,
            "peak_bytes": peak_bytes(lambda: torch.autograd.grad(loss(), stacks), context.device),
            "layer_bytes": point.batch * (point.dim + point.hidden) * x.element_size(),
        },
    )
