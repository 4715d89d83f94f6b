"""All walks of all seeds of a cell at once."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context

from .spec import Point


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the mean square of the end, a row a seed; the engine fills in the columns that the point has."""
    point = cell.point
    # Each seed has its own stream of random numbers, whichever cell it is in.
    drawn = [stream.standard_normal((point.walks, point.depth)) for stream in context.streams("steps", point.depth)]
    steps = torch.from_numpy(np.stack(drawn)).to(context.device, context.dtype)  # (seeds, walks, depth)
    ends = point.depth**-point.exponent * steps.sum(-1)
    yield "ends", {"seed": list(cell.seeds), "mean_square": ends.square().mean(-1).double()}
