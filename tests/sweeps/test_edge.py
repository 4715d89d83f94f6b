"""Bisection finds the edge of a known function, and says how surely."""

import pytest

from resodectl.claims.estimate import Estimate
from resodectl.claims.verdict import Verdict, judge
from resodectl.errors import UserError
from resodectl.recipe.schema import Band
from resodectl.sweeps.edge import between, bisect


def measuring(estimate, band: Band, error: float = 1e-9):
    """The verdict on a function of the value, and the steps in which it was asked for."""
    asked: list[int] = []

    def measure(value: float, step: int) -> Verdict:
        asked.append(step)
        found = Estimate(estimate(value), estimate(value) - error, estimate(value) + error, 4, "student")
        return Verdict(None, band, found, judge(found, band), ())

    return measure, asked


@pytest.mark.parametrize(("ends", "width"), [((0.1, 1.0), 0.01), ((0.001, 100.0), 0.05), ((0.0, 1.0), 0.02)])
def test_the_bracket_holds_the_edge_and_is_as_narrow_as_asked_for(ends: tuple[float, float], width: float) -> None:
    measure, asked = measuring(lambda value: value**2, Band(low=None, high=0.5))
    *_, edge = bisect(*ends, width, measure)
    low, high = edge.bracket
    assert low < 0.5**0.5 <= high
    assert high - low <= width * (low + high) / 2
    assert edge.certain == edge.bracket
    assert asked == list(range(len(asked)))  # each step has seeds of its own


def test_a_claim_that_begins_to_hold_has_an_edge_too() -> None:
    measure, _ = measuring(lambda value: 1 / value, Band(low=None, high=0.105))
    *_, edge = bisect(1, 64, 0.01, measure)
    assert edge.bracket == (9, 10)  # integers are halved down to neighbours
    assert [edge.tried[value].judgement for value in edge.bracket] == ["fails", "holds"]


def test_where_intervals_straddle_the_edge_the_certain_bracket_is_wider() -> None:
    measure, _ = measuring(lambda value: value, Band(low=None, high=0.5), error=0.05)
    *_, edge = bisect(0.0, 1.0, 0.01, measure)
    low, high = edge.certain
    assert low <= 0.45
    assert high >= 0.55
    assert low < edge.bracket[0] < edge.bracket[1] < high
    assert edge.tried[edge.bracket[0]].judgement == "unclear"


@pytest.mark.parametrize(
    ("band", "says"), [((None, 9.0), "holds at 0.1 and holds at 1.0"), ((5.0, None), "fails at 0.1")]
)
def test_without_a_change_there_is_no_edge(band: tuple[float | None, float | None], says: str) -> None:
    measure, _ = measuring(lambda value: value, Band(low=band[0], high=band[1]))
    with pytest.raises(UserError, match=says):
        list(bisect(0.1, 1.0, 0.1, measure))


def test_what_is_tried_next() -> None:
    assert between(0.0, 1.0, 0.1) == 0.5
    assert between(1.0, 100.0, 0.1) == 10.0
    assert between(1, 100, 0.1) == 50
    assert between(10, 11, 0.01) is None
    assert between(-1.0, 1.0, 0.1) == 0.0
