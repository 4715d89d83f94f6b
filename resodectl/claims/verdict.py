"""Judging estimates against bands, and controls against the claims that they must break."""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import pandas as pd

from resodectl.claims.estimate import Estimate
from resodectl.errors import UserError, in_short, suggestion
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
    """`holds`: the whole interval inside the band; `fails`: wholly outside; else, or if not finite, `unclear`."""
    if not estimate.finite:
        return "unclear"
    if _inside(estimate, band):
        return "holds"
    return "fails" if _outside(estimate, band) else "unclear"


def judge_control(estimate: Estimate, band: Band) -> ControlState:
    """`breaks` the claim, as it must, if the estimate is finite and its whole interval outside the band."""
    return "breaks" if estimate.finite and _outside(estimate, band) else "broken"


def _inside(estimate: Estimate, band: Band) -> bool:
    return (band.low is None or estimate.low >= band.low) and (band.high is None or estimate.high <= band.high)


def _outside(estimate: Estimate, band: Band) -> bool:
    below = band.low is not None and estimate.high < band.low
    above = band.high is not None and estimate.low > band.high
    return below or above


def check(recipe: Recipe, log: Logs, control_logs: Mapping[int, Logs]) -> list[Verdict]:
    """The verdicts on all claims of a recipe.

    Args:
        log: the run's tables by kind.
        control_logs: the tables of the controls that ran their own cells, by the claim's index. A control by `set`
            that is not among them was not run; a control by `where` alone looks at `log`.

    Raises:
        UserError: a measure fails, or gives no Estimate.
    """
    measures = _measures(recipe)
    verdicts = []
    for index, (claim, measure) in enumerate(zip(recipe.claims, measures, strict=True)):
        band = claim.band(recipe.profile)
        estimate = _estimate(recipe, measure, claim, log, claim.where)
        seen = log if not claim.control.set else control_logs.get(index)
        where = claim.where | claim.control.where
        control = None if seen is None else _estimate(recipe, measure, claim, seen, where)
        state: ControlState = "not run" if control is None else judge_control(control, band)
        verdicts.append(Verdict(claim, band, estimate, judge(estimate, band), control, state))
    return verdicts


def check_measures(recipe: Recipe) -> None:
    """Refuse claims that name no measure of the experiment, options that it does not take, and an unknown drawing.

    Raises:
        RecipeError: with the place in the recipe, and the nearest name that there is.
    """
    _measures(recipe)
    if recipe.file.draw is not None:
        named(recipe.experiment.module("analysis"), "draw", recipe.file.draw, recipe.place(("draw",)))


def _measures(recipe: Recipe) -> list[Callable[..., Estimate]]:
    analysis = recipe.experiment.module("analysis")
    found = []
    for index, claim in enumerate(recipe.claims):
        measure = named(analysis, "measure", claim.claim, recipe.place(("claims", index, "claim")))
        known = inspect.signature(measure).parameters
        options = {name for name, parameter in known.items() if parameter.kind is parameter.KEYWORD_ONLY}
        for option in claim.options:
            if option not in options:
                place = recipe.place(("claims", index, "with", option))
                raise RecipeError(
                    f"{place}: measure_{claim.claim} has no option '{option}'; {suggestion(option, options)}"
                )
        for option in sorted(options - claim.options.keys()):
            if known[option].default is inspect.Parameter.empty:
                place = recipe.place(("claims", index, "with"))
                raise RecipeError(f"{place}: measure_{claim.claim} needs the option '{option}'; give it under 'with'")
        found.append(measure)
    return found


def named(analysis: ModuleType, prefix: str, name: str, place: str) -> Any:
    """The function `<prefix>_<name>` of an analysis; an empty name stands for a choice that was not made.

    Raises:
        RecipeError: there is none; the nearest one is named.
    """
    known = {
        key.removeprefix(f"{prefix}_"): value
        for key, value in vars(analysis).items()
        if key.startswith(f"{prefix}_") and callable(value)
    }
    if name in known:
        return known[name]
    if not known:
        raise RecipeError(f"{place}: the experiment's analysis has no function {prefix}_<name>")
    if not name:
        raise RecipeError(f"{place}: there are several drawings; add '{prefix}', one of {', '.join(sorted(known))}")
    raise RecipeError(f"{place}: the experiment has no {prefix}_{name}; {suggestion(name, known)}")


def _estimate(recipe: Recipe, measure: Callable[..., Any], claim: Claim, log: Logs, where: Selection) -> Estimate:
    rows = select(log[claim.kind or next(iter(log))], where)
    if rows.empty:
        return Estimate(math.nan, math.nan, math.nan, 0, "student")
    what = f"{recipe.path}: measure_{claim.claim} of {recipe.file.experiment}"
    try:
        estimate = measure(rows, **claim.options)
    except (Exception, SystemExit) as error:
        raise UserError(f"{what} failed: {in_short(error)}") from error
    if not isinstance(estimate, Estimate):
        raise UserError(f"{what} failed: it gives {type(estimate).__name__}, not an Estimate")
    return estimate


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
