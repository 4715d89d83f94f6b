"""Where along one parameter a claim holds, and between which values the verdict changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

from resodectl.recipe.merging import as_text


@dataclass(frozen=True)
class Stretch:
    """Neighbouring values of a parameter with one verdict."""

    judgement: str
    first: Any
    last: Any

    def __str__(self) -> str:
        """
        >>> str(Stretch("holds", 0.25, 0.5)), str(Stretch("fails", 1, 1))
        ('holds from 0.25 to 0.5', 'fails at 1')
        """
        if self.first == self.last:
            return f"{self.judgement} at {as_text(self.first)}"
        return f"{self.judgement} from {as_text(self.first)} to {as_text(self.last)}"


def stretches(values: Sequence[Any], judgements: Sequence[str]) -> list[Stretch]:
    """The stretches of equal verdicts, in the order of the values.

    >>> [str(found) for found in stretches([1, 2, 4, 8], ["holds", "holds", "unclear", "fails"])]
    ['holds from 1 to 2', 'unclear at 4', 'fails at 8']
    """
    return [
        Stretch(judgement, of_judgement[0][0], of_judgement[-1][0])
        for judgement, group in groupby(zip(values, judgements, strict=True), key=lambda pair: pair[1])
        if (of_judgement := list(group))
    ]


def changes(found: Sequence[Stretch]) -> list[tuple[Any, Any]]:
    """The values between which a claim stops or begins to hold.

    What is neither `holds` nor `fails` in between belongs to the gap.

    >>> changes(stretches([1, 2, 4, 8], ["holds", "holds", "unclear", "fails"]))
    [(2, 8)]
    >>> changes(stretches([1, 2, 4], ["holds", "unclear", "holds"]))
    []
    """
    decided = [stretch for stretch in found if stretch.judgement in ("holds", "fails")]
    return [(one.last, other.first) for one, other in pairwise(decided) if one.judgement != other.judgement]


def region(values: Sequence[Any], judgements: Sequence[str]) -> str:
    """Where a claim holds, in words.

    >>> region([0.25, 0.5, 1.0], ["holds", "holds", "fails"])
    'holds from 0.25 to 0.5, fails at 1.0; changes between 0.5 and 1.0'
    """
    found = stretches(values, judgements)
    gaps = [f"between {as_text(low)} and {as_text(high)}" for low, high in changes(found)]
    return ", ".join(map(str, found)) + (f"; changes {', '.join(gaps)}" if gaps else "")


def counts(judgements: Sequence[str]) -> str:
    """How many points there are of each verdict, in words.

    >>> counts(["holds", "fails", "holds"])
    'holds at 2, fails at 1 of 3 points'
    """
    numbers = [f"{word} at {judgements.count(word)}" for word in dict.fromkeys(judgements)]
    return f"{', '.join(numbers)} of {len(judgements)} points"
