"""Judging estimates against bands, and controls against the claims that they must break."""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import pandas as pd

from resodectl.claims.estimate import Estimate
from resodectl.errors import suggestion
from resodectl.recipe.load import Recipe
from resodectl.recipe.reading import RecipeError
from resodectl.recipe.schema import Band, Claim, Range, Selection

Judgement = Literal["holds", "fails", "unclear"]
ControlState = Literal["breaks", "broken", "not run"]
Logs = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Verdict:
    """What was measured of one claim, what that means, and what its control shows."""

    claim: Claim
    band: Band
    estimate: Estimate
    judgement: Judgement
    control: Estimate | None
    control_state: ControlState

    @property
    def acceptable(self) -> bool:
        """Whether the claim holds (or is not judged) and its control, where it was run, breaks it."""
        return (self.judgement == "holds" or not self.claim.gate) and self.control_state != "broken"


def judge(estimate: Estimate, band: Band) -> Judgement:
    """`holds`: the whole interval inside the band; `fails`: wholly outside; else, NaN included, `unclear`."""
    if _inside(estimate, band):
        return "holds"
    return "fails" if _outside(estimate, band) else "unclear"


def judge_control(estimate: Estimate, band: Band) -> ControlState:
    """`breaks` the claim, as it must, if the estimate is finite and its whole interval outside the band."""
    finite = all(map(math.isfinite, (estimate.value, estimate.low, estimate.high)))
    return "breaks" if finite and _outside(estimate, band) else "broken"


def _inside(estimate: Estimate, band: Band) -> bool:
    if math.isnan(estimate.value):
        return False
    return (band.low is None or estimate.low >= band.low) and (band.high is None or estimate.high <= band.high)


def _outside(estimate: Estimate, band: Band) -> bool:
    if math.isnan(estimate.value):
        return False
    below = band.low is not None and estimate.high < band.low
    above = band.high is not None and estimate.low > band.high
    return below or above


def check(recipe: Recipe, log: Logs, control_logs: Mapping[int, Logs]) -> list[Verdict]:
    """The verdicts on all claims of a recipe.

    Args:
        log: the run's tables by kind.
        control_logs: the tables of the controls that ran their own cells, by the claim's index. A control by `set`
            that is not among them was not run; a control by `where` alone looks at `log`.
    """
    measures = _measures(recipe)
    verdicts = []
    for index, (claim, measure) in enumerate(zip(recipe.claims, measures, strict=True)):
        band = claim.band(recipe.profile)
        estimate = _estimate(measure, claim, log, claim.where)
        seen = log if not claim.control.set else control_logs.get(index)
        control = None if seen is None else _estimate(measure, claim, seen, claim.where | claim.control.where)
        state: ControlState = "not run" if control is None else judge_control(control, band)
        verdicts.append(Verdict(claim, band, estimate, judge(estimate, band), control, state))
    return verdicts


def check_measures(recipe: Recipe) -> None:
    """Refuse claims that name no measure of the experiment, or options that it does not take.

    Raises:
        RecipeError: with the claim, and the nearest name that there is.
    """
    _measures(recipe)


def _measures(recipe: Recipe) -> list[Callable[..., Estimate]]:
    analysis = recipe.experiment.module("analysis")
    found = []
    for index, claim in enumerate(recipe.claims):
        place = f"{recipe.path}: claims.{index}"
        measure = named(analysis, "measure", claim.claim, f"{place}.claim")
        known = inspect.signature(measure).parameters
        options = {name for name, parameter in known.items() if parameter.kind is parameter.KEYWORD_ONLY}
        for option in claim.options:
            if option not in options:
                raise RecipeError(
                    f"{place}.with: measure_{claim.claim} has no option '{option}'; {suggestion(option, options)}"
                )
        for option in options - claim.options.keys():
            if known[option].default is inspect.Parameter.empty:
                raise RecipeError(f"{place}.with: measure_{claim.claim} needs the option '{option}'")
        found.append(measure)
    return found


def named(analysis: ModuleType, prefix: str, name: str, place: str) -> Any:
    """The function `<prefix>_<name>` of an analysis.

    Raises:
        RecipeError: there is none; the nearest one is named.
    """
    function = getattr(analysis, f"{prefix}_{name}", None)
    if function is None:
        known = [key.removeprefix(f"{prefix}_") for key in vars(analysis) if key.startswith(f"{prefix}_")]
        raise RecipeError(f"{place}: the experiment has no {prefix}_{name}; {suggestion(name, known)}")
    return function


def _estimate(measure: Callable[..., Estimate], claim: Claim, log: Logs, where: Selection) -> Estimate:
    rows = select(log[claim.kind or next(iter(log))], where)
    if rows.empty:
        return Estimate(math.nan, math.nan, math.nan, 0, "student")
    return measure(rows, **claim.options)


def select(rows: pd.DataFrame, where: Selection) -> pd.DataFrame:
    """The rows whose columns have the given values (one of them, or inside the range)."""
    keep = pd.Series(True, index=rows.index)
    for column, wanted in where.items():
        values = rows[column]
        if isinstance(wanted, Range):
            keep &= values >= (-math.inf if wanted.min is None else wanted.min)
            keep &= values <= (math.inf if wanted.max is None else wanted.max)
        elif isinstance(wanted, tuple):
            keep &= values.isin(wanted)
        else:
            keep &= values == wanted
    return rows[keep]


def document(verdict: Verdict) -> dict[str, Any]:
    """A verdict as plain values for JSON; what is not finite becomes None."""
    claim = verdict.claim
    return {
        "claim": claim.claim,
        "says": claim.says,
        "judgement": verdict.judgement,
        "gate": claim.gate,
        **({"because": claim.because} if claim.because else {}),
        "estimate": _plain(verdict.estimate),
        "within": [verdict.band.low, verdict.band.high],
        "published": claim.published,
        "theory": claim.theory.model_dump() if claim.theory else None,
        "where": _selection(claim.where),
        "with": claim.options,
        "control": {
            "state": verdict.control_state,
            "because": claim.control.because,
            "where": _selection(claim.control.where),
            "set": claim.control.set,
            "estimate": _plain(verdict.control) if verdict.control else None,
        },
    }


def _selection(where: Selection) -> dict[str, Any]:
    return {
        column: wanted.model_dump(exclude_none=True) if isinstance(wanted, Range) else wanted
        for column, wanted in where.items()
    }


def _plain(estimate: Estimate) -> dict[str, Any]:
    def number(value: float) -> float | None:
        return value if math.isfinite(value) else None

    return {
        "value": number(estimate.value),
        "low": number(estimate.low),
        "high": number(estimate.high),
        "units": estimate.units,
        "method": estimate.method,
    }
