"""A Gaussian random walk: at length n its law is N(drift n, n)."""

import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from resodectl.families.toy.walk.spec import Point

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    point = cell.point
    if point.length == point.fail_at:
        raise ValueError("the walk fell off a cliff\nand this second line stays in the file")
    if point.length == point.die_at:
        os._exit(9)
    time.sleep(point.pause)
    seeds = np.array(cell.seeds)
    steps = torch.from_numpy(np.stack([stream.standard_normal(point.length) for stream in context.streams("steps")]))
    steps = (steps + point.drift).to(context.dtype)
    kept = context.restore()
    first, place = (0, torch.zeros(len(seeds), dtype=context.dtype)) if kept is None else (kept["half"], kept["place"])
    middle = point.length // 2
    for half in range(first, 2):
        place = place + steps[:, :middle].sum(1) if half == 0 else place + steps[:, middle:].sum(1)
        yield "paths", {"seed": seeds, "half": ["first", "second"][half], "place": place.double()}
        context.save({"half": half + 1, "place": place})
        context.progress((half + 1) / 2)
    yield "ends", {"seed": seeds, "end": place.double()}
