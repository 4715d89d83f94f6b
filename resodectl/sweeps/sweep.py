"""A recipe at every point of a grid: its cells, and the verdicts on its claims there."""

import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from resodectl.claims.measures import judge_claim, measure_claim
from resodectl.claims.verdict import Verdict
from resodectl.engine.run import Execution
from resodectl.errors import UserError, suggestion
from resodectl.recipe.load import Recipe, load
from resodectl.recipe.merging import as_text
from resodectl.recipe.reading import RecipeError
from resodectl.runs.folders import OutputFolders
from resodectl.runs.plan import Job
from resodectl.runs.stored import StoredCells, control_frames
from resodectl.sweeps.grid import Axis

MOST_POINTS = 10_000
MOST_AXES = 2


@dataclass(frozen=True)
class Sweep:
    """A recipe, the one or two parameters that are swept, and the claims, by their index, that are looked at."""

    recipe: Recipe
    axes: tuple[Axis, ...]
    claims: tuple[int, ...]

    @cached_property
    def points(self) -> tuple[tuple[Any, ...], ...]:
        """The values of the axes at each point; those of the last axis change fastest."""
        return tuple(itertools.product(*(axis.values for axis in self.axes)))

    def at(self, values: Sequence[Any], first_seed: int | None = None) -> Recipe:
        """The recipe at one point, with the seeds that were asked for, or from another first seed on.

        Raises:
            UserError: it has no such parameter, or the value cannot be.
        """
        return varied(self.recipe, {axis.key: value for axis, value in zip(self.axes, values, strict=True)}, first_seed)

    def folder(self, folders: OutputFolders) -> Path:
        """Where its results go: `OUT/<family>/<name>/sweep-<keys>-<hash>`."""
        content = [self.recipe.hash, [[axis.key, axis.values] for axis in self.axes], self.claims]
        digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
        return folders.folder(self.recipe).parent / "-".join(("sweep", *(axis.key for axis in self.axes), digest[:8]))


@dataclass(frozen=True)
class Found:
    """What was found on one claim at one point: a verdict, or why there is none."""

    values: tuple[Any, ...]
    claim: int
    verdict: Verdict | None
    error: str = ""

    @property
    def judgement(self) -> str:
        """The verdict in a word; `error` where a cell or the measure has failed."""
        return "error" if self.verdict is None else self.verdict.judgement


def sweep_of(recipe: Recipe, axes: Sequence[Axis], claims: Sequence[str] = ()) -> Sweep:
    """A sweep of a recipe, over one or two of its parameters.

    Args:
        claims: names of measures, or numbers of claims from 1 on; all claims if there are none.

    Raises:
        UserError: too many axes or points, the same one twice, a claim that there is not, or none at all.
    """
    keys = [axis.key for axis in axes]
    if len(axes) > MOST_AXES:
        raise UserError(f"--over {keys[MOST_AXES]}: at most {MOST_AXES} parameters can be swept at once")
    if len(set(keys)) < len(keys):
        raise UserError(f"--over {keys[0]}: is swept twice; write all its values in one --over")
    chosen = {index for name in claims for index in claims_called(recipe, name)} if claims else None
    if not recipe.claims:
        raise UserError(f"{recipe.path}: claims nothing, so there is nothing to sweep")
    sweep = Sweep(recipe, tuple(axes), tuple(sorted(range(len(recipe.claims)) if chosen is None else chosen)))
    if len(sweep.points) > MOST_POINTS:
        raise UserError(f"{len(sweep.points)} points are too many; take at most {MOST_POINTS}")
    return sweep


def claims_called(recipe: Recipe, name: str) -> list[int]:
    """The claims of a recipe whose measure has a name, or the one with a number, from 1 on.

    Raises:
        UserError: there is none.
    """
    measures = [claim.claim for claim in recipe.claims]
    if name.isdecimal() and 1 <= int(name) <= len(measures):
        return [int(name) - 1]
    found = [index for index, measure in enumerate(measures) if measure == name]
    if not found:
        numbers = f"or a number from 1 to {len(measures)}" if measures else "and it has no claims"
        raise UserError(f"claim {name}: {recipe.name} has no such claim; {suggestion(name, set(measures))} ({numbers})")
    return found


def own_value(recipe: Recipe, key: str) -> Any:
    """A recipe's own value of a parameter, as `--set` names it; None if it has none."""
    value = recipe.params.model_dump(mode="json")
    for part in key.split("."):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (LookupError, TypeError, ValueError):
            return None
    return value


def varied(recipe: Recipe, values: dict[str, Any], first_seed: int | None = None) -> Recipe:
    """A recipe with other values of some of its parameters, and from another first seed on if that is given.

    Raises:
        UserError: it has no such parameter, or the value cannot be.
    """
    asked = recipe.request
    sets = (*asked.sets, *(f"{key}={as_text(value)}" for key, value in values.items()))
    first = asked.first_seed if first_seed is None else first_seed
    try:
        return load(recipe.path, replace(asked, sets=sets, first_seed=first))
    except RecipeError as error:
        raise UserError(f"{recipe.name}, swept over {' and '.join(values)}: {error}") from error


def found_at(values: tuple[Any, ...], job: Job, claims: Sequence[int], execution: Execution) -> list[Found]:
    """The verdicts on some claims at a point all of whose cells are stored, or have failed."""
    if job.errors:
        return [Found(values, index, None, job.errors[0]) for index in claims]
    stored = StoredCells(job.recipe, execution)
    log = {kind: table.to_pandas() for kind, table in stored.tables(job.tasks).items()}
    controls = control_frames(job, stored)
    found = []
    for index in claims:
        try:
            measured = measure_claim(job.recipe, index, log, controls)
            found.append(Found(values, index, judge_claim(job.recipe, index, measured)))
        except UserError as error:
            found.append(Found(values, index, None, str(error)))
    return found


def without_other_claims(job: Job, claims: Sequence[int]) -> Job:
    """A job whose controls are those of some claims alone."""
    job.controls = {placed: tasks for placed, tasks in job.controls.items() if placed[0] in claims}
    return job
