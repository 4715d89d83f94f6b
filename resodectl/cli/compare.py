"""`resodectl compare`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from resodectl.cli import options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resodectl.runs.comparison import Change, Comparison, Pair


@click.command("compare")
@click.argument("before", type=options.FOLDER)
@click.argument("after", type=options.FOLDER)
@options.documenting
@click.option("--junit", type=options.FOLDER, help="Also write the comparison as JUnit XML to this file.")
def compare_command(before: Path, after: Path, as_json: bool, junit: Path | None) -> int:
    """Compare two sets of results: folders that runs were written to, or two galleries.

    Says which claims changed their verdict, which estimates moved by more than their intervals, and which settings,
    versions and commits differ. Exits with 1 if a verdict differs, or a recipe or claim of BEFORE is gone from AFTER.
    """
    from resodectl.cli.tables import document_on_stdout
    from resodectl.runs.comparison import compare

    found = compare(before, after)
    code = 0 if found.agrees else 1
    if junit is not None:
        _write_junit(junit, found)
    if as_json:
        document_on_stdout({"exit_code": code, **_document(found)})
    else:
        _print(found)
    return code


def _print(found: "Comparison") -> None:
    from resodectl.cli.tables import coloured, table

    rows = []
    for pair in found.pairs:
        name = pair.name
        for key, (one, other) in pair.settings.items():
            rows.append((name, "setting", key, _short(one), _short(other)))
            name = ""
        for change in pair.changes:
            colour = "red" if change.verdict_differs else "yellow"
            rows.append((name, coloured(_what(change), colour), f"{change.number} {change.says}",
                         _side(change.before), _side(change.after)))  # fmt: skip
            name = ""
    if rows:
        table(("recipe", "differs", "", "before", "after"), rows, fold=("", "before", "after"))
        print()
    for name in found.gone:
        print(f"gone: {name}")
    for name in found.new:
        print(f"new: {name}")
    changes = [change for pair in found.pairs for change in pair.changes]
    same = [pair.same_log for pair in found.pairs]
    logs = f"; {sum(map(bool, same))} of {len(same)} logs are the same bits" if None not in same and same else ""
    print(
        f"{len(found.pairs)} runs compared; verdicts that differ: {sum(change.verdict_differs for change in changes)}; "
        f"estimates that moved by more than their intervals: {sum(change.moved for change in changes)}{logs}"
    )


def _what(change: "Change") -> str:
    """What differs in a claim, in a word or two."""
    if change.before is None or change.after is None:
        return "new" if change.before is None else "gone"
    return "verdict" if change.verdict_differs else "moved" if change.moved else "band"


def _side(claim: "Mapping[str, Any] | None") -> str:
    """The verdict on a claim, its estimate and band, and the states of its controls."""
    from resodectl.claims.document import controls_of
    from resodectl.runs.gallery import band, measured

    if claim is None:
        return ""
    states = ", ".join(control["state"] for control in controls_of(dict(claim)))
    return f"{claim['judgement']}: {measured(dict(claim))} in {band(dict(claim))}; control {states}"


def _short(value: Any) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


def _document(found: "Comparison") -> dict[str, Any]:
    return {"recipes": list(map(_of_pair, found.pairs)), "gone": list(found.gone), "new": list(found.new)}


def _of_pair(pair: "Pair") -> dict[str, Any]:
    return {
        "recipe": pair.name,
        "claims": pair.claims,
        "same_log": pair.same_log,
        "settings": {key: {"before": one, "after": other} for key, (one, other) in pair.settings.items()},
        "changes": [
            {
                "number": change.number,
                "says": change.says,
                "verdict_differs": change.verdict_differs,
                "moved": change.moved,
                "band_differs": change.band_differs,
                "before": change.before,
                "after": change.after,
            }
            for change in pair.changes
        ],
    }


def _write_junit(path: Path, found: "Comparison") -> None:
    from resodectl.claims.junit import cases
    from resodectl.errors import UserError
    from resodectl.files import write_atomically

    suites: dict[str, list[tuple[str, str]]] = {}
    for pair in found.pairs:
        suites[pair.name] = [
            (
                f"{change.number} {change.says}",
                f"{_what(change)}: {_side(change.before)} -> {_side(change.after)}" if change.verdict_differs else "",
            )
            for change in pair.changes
        ] or [("every verdict is the same", "")]
    suites |= {name: [("is there", "gone")] for name in found.gone}
    try:
        write_atomically(path, cases(suites))
    except OSError as error:
        raise UserError(f"--junit {path}: cannot be written ({error.strerror})") from error
