"""Why cells are missing: what in their addresses differs from those of the nearest stored cells.

The nearest is the stored cell of the same experiment that differs in the fewest parameters (at most `MOST`, the seeds
counted as one), then in the fewest other parts, and of these the newest.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from resodectl.engine.store import Store, metadata
from resodectl.engine.worker import Task

MOST = 2
ABSENT = "none"
_SETTINGS = ("parameter", "seeds")
_OTHERS = ("device", "data")


@dataclass(frozen=True)
class Change:
    """A part of the address that differs: `what` it is (parameter, code, ...), its name, and from what to what.

    Of code there are no values: `before` and `now` say only whether there was, and is, such a part.
    """

    what: str
    name: str
    before: str = ""
    now: str = ""


@dataclass(frozen=True)
class Reason:
    """Missing cells with one reason: how many, the label of the first, and what changed.

    `changes` is None where no stored cell is near.
    """

    cells: int
    first: str
    changes: tuple[Change, ...] | None


@dataclass(frozen=True)
class _Known:
    """The parts of an address: the parameters and the seeds, the other ones, and the code that they sum up."""

    settings: dict[str, str]
    others: dict[tuple[str, str], str]
    code: Mapping[str, str]

    @classmethod
    def of(cls, identity: Mapping[str, Any], code: Mapping[str, str]) -> "_Known":
        settings = {name: json.dumps(value) for name, value in identity["point"].items()}
        settings["seeds"] = json.dumps(identity["seeds"])
        others = {(part, part): str(identity[part] or ABSENT) for part in _OTHERS}
        others |= {("package", name): str(version) for name, version in identity["versions"].items()}
        others |= {("input", name): str(digest) for name, digest in identity["inputs"].items()}
        return cls(settings, others | {("code", "code"): str(identity["code"])}, code)


def reasons(tasks: Sequence[Task], store: Store) -> list[Reason]:
    """Why cells are missing in a store, most cells first; tasks with one reason are counted together."""
    stored = store.find(task.address for task in tasks)
    missing = [task for task in tasks if task.address not in stored]
    known = _stored(store, {task.identity["experiment"] for task in missing})
    grouped: dict[Any, list[tuple[Task, tuple[Change, ...] | None]]] = {}
    for task in missing:
        wanted = _Known.of(task.identity, task.code.parts)
        near = _nearest(wanted, known.get(task.identity["experiment"], ()))
        changes = None if near is None else tuple(_changes(near, wanted))
        grouped.setdefault(changes and tuple(map(_kind, changes)), []).append((task, changes))
    found = [_reason(alike) for alike in grouped.values()]
    return sorted(found, key=lambda reason: -reason.cells)


def _kind(change: Change) -> Change:
    """A change without the values that differ from cell to cell."""
    return replace(change, before="", now="") if change.what in _SETTINGS else change


def _reason(alike: Sequence[tuple[Task, tuple[Change, ...] | None]]) -> Reason:
    """One reason for cells with the same kinds of changes; of several values the first ones are named."""
    task, changes = alike[0]
    if changes is not None:
        every = zip(*(of_cell for _, of_cell in alike if of_cell is not None), strict=True)
        changes = tuple(
            replace(same[0], now=f"{same[0].now}, ..." if len(set(same)) > 1 else same[0].now) for same in every
        )
    return Reason(len(alike), task.label, changes)


def _stored(store: Store, experiments: set[str]) -> dict[str, list[_Known]]:
    """What is known of the stored cells of experiments, the newest first."""
    known: dict[str, list[_Known]] = {}
    entries = list(store) if experiments else []
    for entry in sorted(entries, key=lambda entry: -entry.path.stat().st_mtime):
        about = metadata(entry.path)
        try:
            if about["identity"]["experiment"] in experiments:
                read = _Known.of(about["identity"], about["parts"])
                known.setdefault(about["identity"]["experiment"], []).append(read)
        except (LookupError, TypeError, AttributeError):  # of another version of resodectl, or no cell
            continue
    return known


def _nearest(wanted: _Known, stored: Sequence[_Known]) -> _Known | None:
    def distance(known: _Known) -> tuple[int, int]:
        return _differing(known.settings, wanted.settings), _differing(known.others, wanted.others)

    near = min(stored, key=distance, default=None)
    return near if near is not None and distance(near)[0] <= MOST else None


def _differing(one: Mapping[Any, str], other: Mapping[Any, str]) -> int:
    return sum(one.get(name) != other.get(name) for name in one.keys() | other.keys())


def _changes(before: _Known, now: _Known) -> Iterator[Change]:
    for name in sorted(before.settings.keys() | now.settings.keys()):
        one, other = before.settings.get(name, ABSENT), now.settings.get(name, ABSENT)
        if one != other:
            yield Change("seeds" if name == "seeds" else "parameter", name, one, other)
    for what, name in sorted(before.others.keys() | now.others.keys()):
        one, other = before.others.get((what, name), ABSENT), now.others.get((what, name), ABSENT)
        if one != other and what != "code":
            yield Change(what, name, one, other)
    for name in sorted(before.code.keys() | now.code.keys()):
        if before.code.get(name) != now.code.get(name):
            there = ("" if name in of.code else ABSENT for of in (before, now))
            yield Change("file" if "/" in name else "code", name, *there)
