"""When a run comes to the edge of stability: the first time at which its sharpness is 2 / eta."""

from collections.abc import Iterable

import numpy as np


def edge_time(times: Iterable[float], ratios: Iterable[float]) -> float:
    """When lambda eta / 2 first reaches 1, between two recorded times by linear interpolation of its logarithm.

    It is the first time if the run starts there, and infinite if it never gets there.
    """
    when, level = np.asarray(list(times), float), np.log(np.asarray(list(ratios), float))
    reached = np.flatnonzero(level >= 0)
    if reached.size == 0:
        return float("inf")
    at = int(reached[0])
    if at == 0:
        return float(when[0])
    part = -level[at - 1] / (level[at] - level[at - 1])
    return float(when[at - 1] + part * (when[at] - when[at - 1]))
