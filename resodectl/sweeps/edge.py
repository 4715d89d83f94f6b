"""Where the verdict on a claim changes along one parameter, by bisection, with fresh seeds at each step."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from resodectl.claims.verdict import Verdict
from resodectl.errors import UserError
from resodectl.recipe.merging import as_text

MOST_STEPS = 60
GEOMETRIC_FROM = 8.0  # ends whose ratio is larger are bisected in logarithms
DIGITS = 12

Measure = Callable[[float, int], Verdict]  # the verdict at a value, in the step of a number


@dataclass
class Edge:
    """The values that were tried, in their order, with the verdicts there.

    A value is on the side of the low end if its estimate is on the same side of the band's edge, inside or outside.
    """

    inside_at_low: bool
    tried: dict[float, Verdict] = field(default_factory=dict)

    @property
    def bracket(self) -> tuple[float, float]:
        """The neighbouring values between which the estimate leaves or enters the band."""
        values = sorted(self.tried)
        return next(
            (one, other)
            for one, other in pairwise(values)
            if (inside(self.tried[one]) == self.inside_at_low) and (inside(self.tried[other]) != self.inside_at_low)
        )

    @property
    def certain(self) -> tuple[float, float]:
        """The nearest values around it where the whole interval is inside the band, and where it is outside."""
        low, high = self.bracket
        decided = {value: verdict.judgement for value, verdict in self.tried.items()}
        begins, ends = ("holds", "fails") if self.inside_at_low else ("fails", "holds")
        return (
            max(value for value, judgement in decided.items() if value <= low and judgement == begins),
            min(value for value, judgement in decided.items() if value >= high and judgement == ends),
        )


def inside(verdict: Verdict) -> bool:
    """Whether the estimate itself, its interval aside, is inside the band."""
    estimate, band = verdict.estimate, verdict.band
    if estimate is None or not math.isfinite(estimate.value):
        return False
    return (band.low is None or estimate.value >= band.low) and (band.high is None or estimate.value <= band.high)


def bisect(low: float, high: float, width: float, measure: Measure) -> Iterator[Edge]:
    """Narrow down where the verdict changes between two values; yields what is known after each step.

    Integers are halved among integers, down to neighbours; positive ends that are a factor of 8 apart, in logarithms.

    Args:
        width: how wide the bracket may be at the end, relative to its middle.
        measure: gives the verdict at a value in a step; the ends are steps 0 and 1.

    Raises:
        UserError: the claim does not hold at one end and fail at the other.
    """
    ends = {low: measure(low, 0), high: measure(high, 1)}
    judgements = [verdict.judgement for verdict in ends.values()]
    if sorted(judgements) != ["fails", "holds"]:
        stand = " and ".join(f"{word} at {as_text(value)}" for value, word in zip(ends, judgements, strict=True))
        raise UserError(f"the claim {stand}: an edge lies between a value where it holds and one where it fails")
    edge = Edge(judgements[0] == "holds", ends)
    yield edge
    for step in range(2, MOST_STEPS):
        middle = between(*edge.bracket, width)
        if middle is None:
            return
        edge.tried[middle] = measure(middle, step)
        yield edge


def between(low: float, high: float, width: float) -> float | None:
    """The next value to try; None if the bracket is narrow enough.

    >>> between(4, 16, 0.1), between(4, 5, 0.1), between(0.01, 1.0, 0.1), between(1.0, 1.05, 0.1)
    (10, None, 0.1, None)
    """
    if high - low <= width * abs(low + high) / 2:
        return None
    if isinstance(low, int) and isinstance(high, int):
        return (low + high) // 2 if high - low > 1 else None
    geometric = low > 0 and high >= GEOMETRIC_FROM * low
    middle = math.sqrt(low * high) if geometric else (low + high) / 2
    return float(f"{middle:.{DIGITS}g}")
