"""Verdicts and results, for people (tables) and for programs (one JSON document, JUnit XML)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resodectl.claims.document import document
from resodectl.claims.verdict import ControlVerdict, Verdict
from resodectl.cli.tables import coloured, document_on_stdout, table
from resodectl.errors import UserError
from resodectl.recipe.load import Recipe
from resodectl.runs.finish import Result
from resodectl.runs.plan import Job

_COLOURS = {
    "holds": "green",
    "breaks": "green",
    "unclear": "yellow",
    "no rows": "yellow",
    "fails": "red",
    "broken": "red",
}


def claims_held(verdicts: Sequence[Verdict]) -> str:
    """`5/5 hold`, with what is not judged and the controls that ran beside it."""
    if not verdicts:
        return "nothing is claimed"
    judged = [verdict for verdict in verdicts if verdict.claim.gate and verdict.judgement != "no rows"]
    text = f"{sum(verdict.judgement == 'holds' for verdict in judged)}/{len(judged)} hold"
    reported = sum(not verdict.claim.gate and verdict.judgement != "no rows" for verdict in verdicts)
    if reported:
        text += f", {reported} reported"
    without_rows = sum(verdict.judgement == "no rows" for verdict in verdicts)
    if without_rows:
        text += f", {without_rows} without rows"
    states = [control.state for verdict in verdicts for control in verdict.controls]
    broken, breaks = states.count("broken"), states.count("breaks")
    return text + (f", {breaks}/{breaks + broken} controls break" if breaks + broken else "")


def finished_line(result: Result) -> str:
    """One line on a finished recipe."""
    figure = str(result.figures[0]) if result.figures else "no figure"
    return "; ".join(
        (f"{result.recipe.name}: {standing(result)}, {result.seconds:.1f} s, {figure}", *result.errors[:2])
    )


def standing(result: Result) -> str:
    """How the claims of a recipe stand; `no verdicts` where something failed before."""
    return "no verdicts" if result.errors and not result.verdicts else claims_held(result.verdicts)


def print_verdicts(recipe: Recipe, verdicts: Sequence[Verdict], errors: Sequence[str] = ()) -> None:
    """Print what was measured of each claim of a recipe, what its controls show, and what failed."""
    print(f"{recipe.name} ({recipe.profile}): {recipe.title}")
    for verdict in verdicts:
        claim, word = verdict.claim, verdict.judgement
        print(f"  {coloured(word.ljust(8), _COLOURS[word])}{claim.says}")
        if verdict.estimate is None:
            parts = [f"{verdict.absent}; the band is {verdict.band}"]
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
    return f"control {coloured(state, _COLOURS[state])}: {verdict.estimate} ({because})"


def print_report(results: Sequence[Result], as_json: bool, junit_file: Path | None, code: int) -> None:
    """Print the verdicts of recipes and the closing table, or all of it as JSON; write JUnit XML if asked."""
    if junit_file is not None:
        verdicts = {result.recipe.name: result.verdicts for result in results}
        write_junit(junit_file, verdicts, {result.recipe.name: result.errors for result in results})
    if as_json:
        document_on_stdout({"exit_code": code, "recipes": [_result_document(result) for result in results]})
        return
    for result in results:
        print_verdicts(result.recipe, result.verdicts, result.errors)
    rows = [
        (
            result.recipe.name,
            standing(result),
            f"{result.seconds:.1f} s",
            f"{result.computed} computed, {result.reused} reused",
            str(result.figures[0]) if result.figures else "no figure",
        )
        for result in results
    ]
    table(("recipe", "claims", "time", "cells", "figure"), rows, fold=("claims", "cells", "figure"))


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


def _result_document(result: Result) -> dict[str, Any]:
    return {
        "recipe": result.recipe.name,
        "profile": result.recipe.profile,
        "overrides": list(result.recipe.request.overrides),
        "folder": str(result.folder),
        "figures": [str(path) for path in result.figures],
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
