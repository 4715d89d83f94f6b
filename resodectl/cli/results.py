"""Verdicts and results, for people (tables) and for programs (one JSON document, JUnit XML)."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from resodectl.claims.document import document
from resodectl.claims.verdict import NO_INTERVAL, ControlVerdict, Verdict
from resodectl.cli.options import Options
from resodectl.cli.tables import coloured, document_on_stdout, table
from resodectl.errors import UserError
from resodectl.recipe.load import Recipe
from resodectl.runs.finish import Result
from resodectl.runs.plan import Job

Shown = Callable[[Path], str]
_COLOURS = {
    "holds": "green",
    "breaks": "green",
    "unclear": "yellow",
    "no rows": "yellow",
    "no interval": "yellow",
    "fails": "red",
    "broken": "red",
}


def claims_held(verdicts: Sequence[Verdict]) -> str:
    """`5/5 hold`, with what is not judged and the controls that ran beside it."""
    if not verdicts:
        return "nothing is claimed"
    found = [verdict.judgement for verdict in verdicts]
    judged = [verdict for verdict in verdicts if verdict.claim.gate and verdict.measured]
    reported = sum(not verdict.claim.gate and verdict.measured for verdict in verdicts)
    states = [control.state for verdict in verdicts for control in verdict.controls]
    breaks, not_run = states.count("breaks"), states.count("not run")
    ran = breaks + states.count("broken")
    parts = (
        (len(judged), f"{sum(verdict.judgement == 'holds' for verdict in judged)}/{len(judged)} hold"),
        (reported, f"{reported} reported"),
        (found.count("no rows"), f"{found.count('no rows')} without rows"),
        (found.count("no interval"), f"{found.count('no interval')} without an interval"),
        (ran, f"{breaks}/{ran} controls break"),
        (not_run, f"{not_run} not run" if ran else f"{not_run} control{'s' * (not_run > 1)} not run"),
    )
    return ", ".join(text for count, text in parts if count)


def finished_line(result: Result, shown: Shown) -> str:
    """One line on a finished recipe."""
    figure = shown(result.figures[0]) if result.figures else "no figure"
    return "; ".join((f"{result.recipe.name}: {standing(result)}, {figure}", *result.errors[:2]))


def standing(result: Result) -> str:
    """How the claims of a recipe stand; `no verdicts` where something failed before."""
    return "no verdicts" if result.errors and not result.verdicts else claims_held(result.verdicts)


def print_verdicts(recipe: Recipe, verdicts: Sequence[Verdict], errors: Sequence[str] = ()) -> None:
    """Print what was measured of each claim of a recipe, what its controls show, and what failed."""
    print(f"{recipe.name} ({recipe.profile}): {recipe.title}")
    for verdict in verdicts:
        claim, word = verdict.claim, verdict.judgement
        print(f"  {coloured(word, _COLOURS[word])}{' ' * max(1, 8 - len(word))}{claim.says}")
        if verdict.estimate is None:
            parts = [f"{verdict.absent}; the band is {verdict.band}"]
        elif word == "no interval":
            parts = [f"{verdict.estimate.value:.6g} ({NO_INTERVAL}); the band is {verdict.band}"]
        else:
            parts = [f"{verdict.estimate} in {verdict.band}"]
        if claim.theory is not None:
            parts.append(f"theory {claim.theory.value:g}")
        if claim.published is not None:
            parts.append(f"paper {claim.published:g}")
        if not claim.gate:
            parts.append(f"not judged: {claim.because}")
        print(f"          {', '.join(parts)}")
        for of_control in verdict.controls:
            print(f"          {_control_line(of_control)}")
    for error in errors:
        print(f"  {coloured('error'.ljust(8), 'red')}{error}")
    print()


def _control_line(verdict: ControlVerdict) -> str:
    state, because = verdict.state, verdict.control.because
    if state == "not run":
        return f"control not run (--controls): {because}"
    if state == "no rows":
        return f"control: {verdict.absent} ({because})"
    if state == "no interval" and verdict.estimate is not None:
        return f"control: {verdict.estimate.value:.6g}, no interval ({because})"
    return f"control {coloured(state, _COLOURS[state])}: {verdict.estimate} ({because})"


def print_report(results: Sequence[Result], asked: Options, code: int, wall_seconds: float) -> None:
    """Print the verdicts of recipes and the closing table, or all of it as JSON; write JUnit XML if asked."""
    if asked.junit is not None:
        verdicts = {result.recipe.name: result.verdicts for result in results}
        write_junit(asked.junit, verdicts, {result.recipe.name: result.errors for result in results})
    if asked.as_json:
        documents = [_result_document(result, asked.shown) for result in results]
        document_on_stdout({"exit_code": code, "wall_seconds": round(wall_seconds, 3), "recipes": documents})
        return
    for result in results:
        if not asked.quiet or result.errors:
            print_verdicts(result.recipe, () if asked.quiet else result.verdicts, result.errors)
    rows = [
        (
            result.recipe.name,
            standing(result),
            f"{result.computed} computed, {result.reused} reused",
            f"{result.seconds:.1f} s",
            asked.shown(result.figures[0]) if result.figures else "no figure",
        )
        for result in results
    ]
    table(("recipe", "claims", "cells", "computing", "figure"), rows, fold=("claims",))
    computing = sum(result.seconds for result in results)
    print(f"{wall_seconds:.1f} s in all; computing took {computing:.1f} s, summed over cells")


def write_junit(path: Path, verdicts: dict[str, list[Verdict]], errors: dict[str, tuple[str, ...]]) -> None:
    """Write verdicts, and what failed, as JUnit XML.

    Raises:
        UserError: the file cannot be written.
    """
    from resodectl.claims.junit import junit
    from resodectl.files import write_atomically

    try:
        write_atomically(path, junit(verdicts, errors))
    except OSError as error:
        raise UserError(f"--junit {path}: cannot be written ({error.strerror})") from error


def print_shard(name: str, computed: int, left: int, as_json: bool) -> None:
    """Say what a shard has computed, and how many cells of all shards are still missing."""
    if as_json:
        document_on_stdout({"shard": name, "computed": computed, "missing": left})
    else:
        print(f"shard {name}: {computed} cells computed, {left} of all still missing")


def _result_document(result: Result, shown: Shown) -> dict[str, Any]:
    return {
        "recipe": result.recipe.name,
        "profile": result.recipe.profile,
        "overrides": list(result.recipe.overrides),
        "folder": shown(result.folder),
        "figures": [shown(path) for path in result.figures],
        "seconds": round(result.seconds, 3),
        "cells": {"computed": result.computed, "reused": result.reused},
        "errors": list(result.errors),
        "claims": [document(verdict) for verdict in result.verdicts],
    }


def print_plans(jobs: Sequence[Job], controls: bool, as_json: bool) -> None:
    """Print what a run would compute."""
    counts = [(job.recipe.name, len(job.wanted(controls)), len(job.waiting)) for job in jobs]
    if as_json:
        document_on_stdout({"recipes": [{"recipe": n, "cells": all_, "to_compute": left} for n, all_, left in counts]})
        return
    table(("recipe", "cells", "stored", "to compute"), [(n, str(a), str(a - left), str(left)) for n, a, left in counts])
