"""Judging estimates against bands, and controls against the claims that they must break."""

import math
from dataclasses import dataclass
from typing import Literal

from resodectl.claims.estimate import Estimate
from resodectl.recipe.schema import Band, Claim, Control

Judgement = Literal["holds", "fails", "unclear", "no rows", "no interval"]
ControlState = Literal["breaks", "broken", "not run", "no rows", "no interval"]
NO_INTERVAL = "1 seed: no interval; take --seeds 2 or more"


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

    An estimate is None where the selected rows are none (`no rows`; `absent` says why), and has no interval where there
    is one unit alone (`no interval`). Both are neither held nor broken.
    """

    claim: Claim
    band: Band
    estimate: Estimate | None
    judgement: Judgement
    controls: tuple[ControlVerdict, ...]
    absent: str = ""

    @property
    def measured(self) -> bool:
        """Whether there is an estimate with an interval, so that the claim can be held or broken."""
        return self.judgement not in ("no rows", "no interval")

    @property
    def acceptable(self) -> bool:
        """Whether the claim holds (or is not judged) and each of its controls that was run breaks it.

        A claim without rows or without an interval is not acceptable if it is judged: what was asked for could not be
        looked at.
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
    if _of_one_unit(estimate):
        return "no interval"
    if not estimate.finite:
        return "unclear"
    if _inside(estimate, band):
        return "holds"
    return "fails" if _outside(estimate, band) else "unclear"


def judge_control(estimate: Estimate | None, band: Band) -> ControlState:
    """`breaks` the claim, as it must, if the estimate is finite and its whole interval outside the band."""
    if estimate is None:
        return "no rows"
    if _of_one_unit(estimate):
        return "no interval"
    return "breaks" if estimate.finite and _outside(estimate, band) else "broken"


def _of_one_unit(estimate: Estimate) -> bool:
    """Whether there was one unit alone, so that nothing is known about the spread."""
    return estimate.units == 1 and math.isnan(estimate.low) and math.isnan(estimate.high)


def _inside(estimate: Estimate, band: Band) -> bool:
    return (band.low is None or estimate.low >= band.low) and (band.high is None or estimate.high <= band.high)


def _outside(estimate: Estimate, band: Band) -> bool:
    below = band.low is not None and estimate.high < band.low
    above = band.high is not None and estimate.low > band.high
    return below or above
