"""Judging estimates against bands, and controls against the claims that they must break."""

from dataclasses import dataclass
from typing import Literal

from resodectl.claims.estimate import Estimate
from resodectl.recipe.schema import Band, Claim, Control

Judgement = Literal["holds", "fails", "unclear", "no rows"]
ControlState = Literal["breaks", "broken", "not run", "no rows"]


@dataclass(frozen=True)
class ControlVerdict:
    """What was measured of a claim under one of its controls, and what that means; None where nothing was.

    `absent` says why there are no rows, where there are none.
    """

    control: Control
    estimate: Estimate | None
    state: ControlState
    absent: str = ""


@dataclass(frozen=True)
class Verdict:
    """What was measured of one claim, what that means, and what its controls show.

    An estimate is None where the selected rows are none: `no rows`, neither held nor broken; `absent` says why.
    """

    claim: Claim
    band: Band
    estimate: Estimate | None
    judgement: Judgement
    controls: tuple[ControlVerdict, ...]
    absent: str = ""

    @property
    def acceptable(self) -> bool:
        """Whether the claim holds (or is not judged) and each of its controls that was run breaks it.

        A claim without rows is not acceptable if it is judged: what was asked for could not be looked at.
        """
        stands = self.judgement == "holds" or not self.claim.gate
        return stands and all(control.state != "broken" for control in self.controls)


def judge(estimate: Estimate | None, band: Band) -> Judgement:
    """`holds`: the whole interval inside the band; `fails`: wholly outside; else, or if not finite, `unclear`.

    >>> from resodectl.claims.estimate import exact
    >>> judge(exact(-1.0, 0.01), Band(low=-1.1, high=-0.9)), judge(exact(-1.0, 0.2), Band(low=-1.1, high=-0.9))
    ('holds', 'unclear')
    """
    if estimate is None:
        return "no rows"
    if not estimate.finite:
        return "unclear"
    if _inside(estimate, band):
        return "holds"
    return "fails" if _outside(estimate, band) else "unclear"


def judge_control(estimate: Estimate | None, band: Band) -> ControlState:
    """`breaks` the claim, as it must, if the estimate is finite and its whole interval outside the band."""
    if estimate is None:
        return "no rows"
    return "breaks" if estimate.finite and _outside(estimate, band) else "broken"


def _inside(estimate: Estimate, band: Band) -> bool:
    return (band.low is None or estimate.low >= band.low) and (band.high is None or estimate.high <= band.high)


def _outside(estimate: Estimate, band: Band) -> bool:
    below = band.low is not None and estimate.high < band.low
    above = band.high is not None and estimate.low > band.high
    return below or above
