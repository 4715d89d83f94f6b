"""Measuring: the functions of an analysis that claims name, the rows that they look at, the verdicts that follow."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, ValidationError, create_model

from resodectl.claims.estimate import Estimate
from resodectl.claims.selecting import select, why_absent
from resodectl.claims.verdict import ControlVerdict, Verdict, judge, judge_control
from resodectl.errors import UserError, in_short, suggestion
from resodectl.experiment.settings import Settings
from resodectl.recipe.explaining import explain
from resodectl.recipe.load import Recipe
from resodectl.recipe.reading import KeyPath, RecipeError
from resodectl.recipe.schema import Claim, Selection

if TYPE_CHECKING:
    import pandas as pd

Logs = Mapping[str, "pd.DataFrame"]
PlacedControl = tuple[int, KeyPath]  # the index of a claim, and where in the claim the control stands


@dataclass(frozen=True)
class Measured:
    """The estimate of a claim, and those under its controls by their place; None where no row was selected.

    A control that was not run is not among them. `absent` says why no row was selected, by place; that of the claim
    itself is `()`.
    """

    estimate: Estimate | None
    controls: Mapping[KeyPath, Estimate | None]
    absent: Mapping[KeyPath, str] = field(default_factory=dict)


def measure(recipe: Recipe, log: Logs, control_logs: Mapping[PlacedControl, Logs]) -> list[Measured]:
    """The estimates of all claims of a recipe; see `measure_claim`."""
    return [measure_claim(recipe, index, log, control_logs) for index in range(len(recipe.claims))]


def measure_claim(recipe: Recipe, index: int, log: Logs, control_logs: Mapping[PlacedControl, Logs]) -> Measured:
    """The estimates of one claim of a recipe, by its index.

    Args:
        log: the run's tables by kind.
        control_logs: the tables of the controls that ran their own cells. A control by `set` that is not among them
            was not run; a control by `where` alone looks at `log`.

    Raises:
        UserError: the measure fails, or gives no Estimate.
    """
    claim, function = recipe.claims[index], _measure(recipe, index)
    seen: dict[KeyPath, tuple[Logs, Selection]] = {(): (log, claim.where)}
    for place, control in claim.every_control().items():
        rows = control_logs.get((index, place)) if control.set else log
        if rows is not None:
            seen[place] = rows, claim.where | control.where
    estimates: dict[KeyPath, Estimate | None] = {}
    absent: dict[KeyPath, str] = {}
    for place, (logs, where) in seen.items():
        every = logs[claim.kind or next(iter(logs))]
        selected = select(every, where)
        estimates[place] = None if selected.empty else _estimate(recipe, function, claim, selected)
        if selected.empty:
            absent[place] = why_absent(every, where)
    return Measured(estimates.pop(()), estimates, absent)


def judged(recipe: Recipe, measured: Sequence[Measured]) -> list[Verdict]:
    """The verdicts that follow from the estimates of all claims of a recipe."""
    return [judge_claim(recipe, index, of_claim) for index, of_claim in enumerate(measured)]


def judge_claim(recipe: Recipe, index: int, measured: Measured) -> Verdict:
    """The verdict that follows from the estimates of one claim, by its index."""
    claim = recipe.claims[index]
    band = claim.band(recipe.profile)
    controls = []
    for place, control in claim.every_control().items():
        under = measured.controls.get(place)
        state = judge_control(under, band) if place in measured.controls else "not run"
        controls.append(ControlVerdict(control, under, state, measured.absent.get(place, "")))
    judgement, absent = judge(measured.estimate, band), measured.absent.get((), "")
    return Verdict(claim, band, measured.estimate, judgement, tuple(controls), absent)


def check(recipe: Recipe, log: Logs, control_logs: Mapping[PlacedControl, Logs]) -> list[Verdict]:
    """The verdicts on all claims of a recipe; see `measure`."""
    return judged(recipe, measure(recipe, log, control_logs))


def check_measures(recipe: Recipe) -> None:
    """Refuse claims that name no measure of the experiment, options that it does not take, and an unknown drawing.

    Raises:
        RecipeError: with the place in the recipe, and the nearest name that there is.
    """
    for index in range(len(recipe.claims)):
        _measure(recipe, index)
    if recipe.file.draw is not None:
        named(recipe.experiment.module("analysis"), "draw", recipe.file.draw, recipe.location(("draw",)))


def _measure(recipe: Recipe, index: int) -> Callable[..., Estimate]:
    """The function that measures a claim, with the options that the claim gives.

    Raises:
        RecipeError: there is no such measure, or the options are not those that it takes.
    """
    claim = recipe.claims[index]
    analysis = recipe.experiment.module("analysis")
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
            raise RecipeError(f"{location}: measure_{claim.claim} needs the option '{option}'; give it under 'with'")
    return functools.partial(measure, **_typed(recipe, index, claim, measure))


class _Options(Settings):
    """The options of a measure, of the types that its signature says."""

    model_config = ConfigDict(arbitrary_types_allowed=True)


def _typed(recipe: Recipe, index: int, claim: Claim, measure: Callable[..., Any]) -> dict[str, Any]:
    """The options of a claim, as its measure takes them.

    Raises:
        RecipeError: one has another type than the measure's signature says.
    """
    if not claim.options:
        return {}
    model = _options(measure, tuple(claim.options))
    try:
        return dict(model.model_validate_json(json.dumps(claim.options)))
    except ValidationError as error:

        def location(path: KeyPath) -> str:
            return recipe.claim_location(index, "with", *path)

        raise explain(error, model, claim.options, location, (f"measure_{claim.claim}",)) from error


@functools.cache
def _options(measure: Callable[..., Any], names: tuple[str, ...]) -> type[Settings]:
    """The model of some options of a measure."""
    types = {name: (option_type(measure, name), ...) for name in names}
    model: type[Settings] = create_model("Options", __base__=_Options, **types)  # type: ignore[call-overload]
    return model


def option_type(measure: Callable[..., Any], name: str) -> Any:
    """The type of an option of a measure; Any where its signature says none, or none that can be found."""
    annotation = inspect.signature(measure).parameters[name].annotation
    if isinstance(annotation, str):
        try:
            annotation = eval(annotation, inspect.unwrap(measure).__globals__)
        except Exception:
            return Any
    return Any if annotation is inspect.Parameter.empty else annotation


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


def _estimate(recipe: Recipe, measure: Callable[..., Any], claim: Claim, rows: pd.DataFrame) -> Estimate:
    """What the measure of a claim gives on the selected rows."""
    what = f"{recipe.path}: measure_{claim.claim} of {recipe.file.experiment}"
    try:
        estimate = measure(rows)
    except (Exception, SystemExit) as error:
        raise UserError(f"{what} failed: {in_short(error)}") from error
    if not isinstance(estimate, Estimate):
        raise UserError(f"{what} failed: it gives {type(estimate).__name__}, not an Estimate")
    return estimate
