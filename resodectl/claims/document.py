"""Verdicts as plain values, for JSON."""

import math
from typing import Any

from resodectl.claims.estimate import Estimate
from resodectl.claims.verdict import ControlVerdict, Verdict
from resodectl.experiment.settings import Settings
from resodectl.recipe.schema import Selection


def document(verdict: Verdict) -> dict[str, Any]:
    """A verdict as plain values; what is not finite becomes None, as does an estimate without rows."""
    claim = verdict.claim
    control, *further = [_control(control) for control in verdict.controls]
    return {
        "claim": claim.claim,
        "says": claim.says,
        "judgement": verdict.judgement,
        "gate": claim.gate,
        **({"because": claim.because} if claim.because else {}),
        **({"absent": verdict.absent} if verdict.absent else {}),
        "estimate": _plain(verdict.estimate),
        "within": [verdict.band.low, verdict.band.high],
        "published": claim.published,
        "theory": claim.theory.model_dump() if claim.theory else None,
        "where": _selection(claim.where),
        "with": claim.options,
        "control": control,
        **({"further_controls": further} if further else {}),
    }


def controls_of(plain: dict[str, Any]) -> list[dict[str, Any]]:
    """The controls that the document of a verdict holds."""
    return [plain["control"], *plain.get("further_controls", [])]


def estimate_of(plain: dict[str, Any] | None) -> Estimate | None:
    """The estimate that a document holds; what was not finite is NaN."""
    if plain is None:
        return None
    value, low, high = (math.nan if plain[key] is None else plain[key] for key in ("value", "low", "high"))
    return Estimate(value, low, high, plain["units"], plain["method"])


def _control(verdict: ControlVerdict) -> dict[str, Any]:
    return {
        "state": verdict.state,
        "because": verdict.control.because,
        "where": _selection(verdict.control.where),
        "set": verdict.control.set,
        **({"absent": verdict.absent} if verdict.absent else {}),
        "estimate": _plain(verdict.estimate),
    }


def _selection(where: Selection) -> dict[str, Any]:
    return {
        column: wanted.model_dump(exclude_none=True) if isinstance(wanted, Settings) else wanted
        for column, wanted in where.items()
    }


def _plain(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None

    def number(value: float) -> float | None:
        return value if math.isfinite(value) else None

    return {
        "value": number(estimate.value),
        "low": number(estimate.low),
        "high": number(estimate.high),
        "units": estimate.units,
        "method": estimate.method,
    }
