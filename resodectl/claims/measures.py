"""Measuring: the functions of an analysis that claims name, the rows that they look at, the verdicts that follow."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from resodectl.claims.estimate import Estimate
from resodectl.claims.verdict import ControlVerdict, Verdict, judge, judge_control
from resodectl.errors import UserError, in_short, suggestion
from resodectl.recipe.load import Recipe
from resodectl.recipe.reading import KeyPath, RecipeError
from resodectl.recipe.schema import Claim, Near, Range, Selection

if TYPE_CHECKING:
    import pandas as pd

Logs = Mapping[str, "pd.DataFrame"]
PlacedControl = tuple[int, KeyPath]  # the index of a claim, and where in the claim the control stands
NEAR = 0.02  # relative: what is further away from a wanted value than this is not near it


@dataclass(frozen=True)
class Measured:
    """The estimate of a claim, and those under its controls by their place; None where no row was selected.

    A control that was not run is not among them.
    """

    estimate: Estimate | None
    controls: Mapping[KeyPath, Estimate | None]


def measure(recipe: Recipe, log: Logs, control_logs: Mapping[PlacedControl, Logs]) -> list[Measured]:
    """The estimates of all claims of a recipe.

    Args:
        log: the run's tables by kind.
        control_logs: the tables of the controls that ran their own cells. A control by `set` that is not among them
            was not run; a control by `where` alone looks at `log`.

    Raises:
        UserError: a measure fails, or gives no Estimate.
    """
    measured = []
    for index, (claim, function) in enumerate(zip(recipe.claims, _measures(recipe), strict=True)):
        estimate = _estimate(recipe, function, claim, log, claim.where)
        controls = {}
        for place, control in claim.every_control().items():
            seen = control_logs.get((index, place)) if control.set else log
            if seen is not None:
                controls[place] = _estimate(recipe, function, claim, seen, claim.where | control.where)
        measured.append(Measured(estimate, controls))
    return measured


def judged(recipe: Recipe, measured: Sequence[Measured]) -> list[Verdict]:
    """The verdicts that follow from the estimates of all claims of a recipe."""
    verdicts = []
    for claim, of_claim in zip(recipe.claims, measured, strict=True):
        band = claim.band(recipe.profile)
        controls = []
        for place, control in claim.every_control().items():
            under = of_claim.controls.get(place)
            state = judge_control(under, band) if place in of_claim.controls else "not run"
            controls.append(ControlVerdict(control, under, state))
        verdicts.append(Verdict(claim, band, of_claim.estimate, judge(of_claim.estimate, band), tuple(controls)))
    return verdicts


def check(recipe: Recipe, log: Logs, control_logs: Mapping[PlacedControl, Logs]) -> list[Verdict]:
    """The verdicts on all claims of a recipe; see `measure`."""
    return judged(recipe, measure(recipe, log, control_logs))


def check_measures(recipe: Recipe) -> None:
    """Refuse claims that name no measure of the experiment, options that it does not take, and an unknown drawing.

    Raises:
        RecipeError: with the place in the recipe, and the nearest name that there is.
    """
    _measures(recipe)
    if recipe.file.draw is not None:
        named(recipe.experiment.module("analysis"), "draw", recipe.file.draw, recipe.location(("draw",)))


def _measures(recipe: Recipe) -> list[Callable[..., Estimate]]:
    analysis = recipe.experiment.module("analysis")
    measures = []
    for index, claim in enumerate(recipe.claims):
        measure = named(analysis, "measure", claim.claim, recipe.claim_location(index, "claim"))
        known = inspect.signature(measure).parameters
        options = {name for name, parameter in known.items() if parameter.kind is parameter.KEYWORD_ONLY}
        for option in claim.options:
            if option not in options:
                location = recipe.claim_location(index, "with", option)
                raise RecipeError(
                    f"{location}: measure_{claim.claim} has no option '{option}'; {suggestion(option, options)}"
                )
        for option in sorted(options - claim.options.keys()):
            if known[option].default is inspect.Parameter.empty:
                location = recipe.claim_location(index, "with")
                raise RecipeError(
                    f"{location}: measure_{claim.claim} needs the option '{option}'; give it under 'with'"
                )
        measures.append(measure)
    return measures


def named(analysis: ModuleType, prefix: str, name: str, location: str) -> Any:
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
        raise RecipeError(f"{location}: the experiment's analysis has no function {prefix}_<name>")
    if not name:
        raise RecipeError(f"{location}: there are several drawings; add '{prefix}', one of {', '.join(sorted(known))}")
    raise RecipeError(f"{location}: the experiment has no {prefix}_{name}; {suggestion(name, known)}")


def _estimate(
    recipe: Recipe, measure: Callable[..., Any], claim: Claim, log: Logs, where: Selection
) -> Estimate | None:
    """What the measure of a claim gives on the selected rows; None if there are none."""
    rows = select(log[claim.kind or next(iter(log))], where)
    if rows.empty:
        return None
    what = f"{recipe.path}: measure_{claim.claim} of {recipe.file.experiment}"
    try:
        estimate = measure(rows, **claim.options)
    except (Exception, SystemExit) as error:
        raise UserError(f"{what} failed: {in_short(error)}") from error
    if not isinstance(estimate, Estimate):
        raise UserError(f"{what} failed: it gives {type(estimate).__name__}, not an Estimate")
    return estimate


def select(rows: pd.DataFrame, where: Selection) -> pd.DataFrame:
    """The rows whose columns have the given values: this one, one of these, inside a range, or the nearest to a value.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"hurst": [0.2, 0.4916, 0.8], "seed": [0, 0, 0]})
    >>> select(rows, {"hurst": Near(near=0.5)})["hurst"].to_list()
    [0.4916]
    >>> select(rows, {"hurst": Near(near=0.6)})["hurst"].to_list()
    []
    """
    import pandas as pd

    keep = pd.Series(True, index=rows.index)
    # What is nearest is looked for among the rows that the other columns leave.
    for column, wanted in sorted(where.items(), key=lambda item: isinstance(item[1], Near)):
        values = rows[column]
        if isinstance(wanted, Range):
            keep &= values >= (-math.inf if wanted.min is None else wanted.min)
            keep &= values <= (math.inf if wanted.max is None else wanted.max)
        elif isinstance(wanted, Near):
            distance = (values - wanted.near).abs()
            keep &= (distance == distance[keep].min()) & (distance <= NEAR * abs(wanted.near))
        elif isinstance(wanted, tuple):
            keep &= values.isin(wanted)
        else:
            keep &= values == wanted
    return rows[keep]
