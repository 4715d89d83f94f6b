"""Two sets of results side by side: which verdicts, estimates and settings differ.

A set is a folder of results (`runs`), one result in it, or a gallery: all of them hold verdicts as JSON.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resodectl.claims.document import controls_of, estimate_of
from resodectl.errors import UserError

PLACES = ("claims.json", "*/claims.json", "*/*/claims.json", "*/*/*/claims.json", "*.json", "*/*.json")
ROUNDING = 2e-5  # relative: a gallery keeps six significant digits
SETTINGS = ("profile", "overrides", "deviations", "departs")
_MANIFEST = ("device", "platform", "commit")


@dataclass(frozen=True)
class Stored:
    """The verdicts of one run, and its manifest where there is one."""

    path: Path
    verdicts: Mapping[str, Any]
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.verdicts["recipe"])


@dataclass(frozen=True)
class Change:
    """One claim in both sets, or in one of them alone; `number` is its place in the set that has it."""

    number: int
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    @property
    def says(self) -> str:
        return str((self.after or self.before or {})["says"])

    @property
    def verdict_differs(self) -> bool:
        """Whether the verdict differs, or the state of a control that was run both times, or the claim is gone."""
        if self.before is None or self.after is None:
            return self.after is None
        states = ([control["state"] for control in controls_of(dict(side))] for side in (self.before, self.after))
        changed = [pair for pair in zip(*states, strict=False) if "not run" not in pair and pair[0] != pair[1]]
        return self.before["judgement"] != self.after["judgement"] or bool(changed)

    @property
    def moved(self) -> bool:
        """Whether the estimate moved by more than the intervals of both: they have nothing in common."""
        if self.before is None or self.after is None:
            return False
        one, other = estimate_of(self.before["estimate"]), estimate_of(self.after["estimate"])
        if one is None or other is None or not (one.finite and other.finite):
            return (one is None or not one.finite) != (other is None or not other.finite)
        slack = ROUNDING * max(abs(one.value), abs(other.value))
        return one.low > other.high + slack or other.low > one.high + slack

    @property
    def band_differs(self) -> bool:
        return bool(self.before and self.after and self.before["within"] != self.after["within"])


@dataclass(frozen=True)
class Pair:
    """One recipe in both sets, with its settings that differ (before, after), and its claims that do."""

    name: str
    settings: Mapping[str, tuple[Any, Any]]
    claims: int
    changes: tuple[Change, ...]
    same_log: bool | None  # None where a manifest is missing

    @property
    def verdict_differs(self) -> bool:
        return any(change.verdict_differs for change in self.changes)


@dataclass(frozen=True)
class Comparison:
    """What two sets have in common, and what one of them has alone (names with the profile)."""

    pairs: tuple[Pair, ...]
    gone: tuple[str, ...]
    new: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether no verdict differs, and nothing is gone."""
        return not self.gone and not any(pair.verdict_differs for pair in self.pairs)


def compare(before: Path, after: Path) -> Comparison:
    """Compare two sets of results.

    Runs are paired by recipe, profile and overrides; those that are left, by recipe and profile, or by recipe, where
    there is one of each.

    Raises:
        UserError: one of them is no folder, or holds no results.
    """
    pairs, gone, new = paired(read(before), read(after))
    return Comparison(tuple(_pair(*pair) for pair in pairs), tuple(map(_called, gone)), tuple(map(_called, new)))


def read(folder: Path) -> list[Stored]:
    """The results in a folder, in the order of their names.

    Raises:
        UserError: there is no such folder, or there are none in it.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder; name a folder of results, or a gallery")
    paths = dict.fromkeys(path for place in PLACES for path in sorted(folder.glob(place)))
    found = [stored for path in paths if (stored := _stored(path)) is not None]
    if not found:
        raise UserError(f"{folder}: there are no verdicts here; name a folder of results, or a gallery")
    return sorted(found, key=lambda stored: (stored.name, _called(stored)))


def _stored(path: Path) -> Stored | None:
    """The result that a file holds; None if it holds something else."""
    if path.name == "manifest.json":
        return None
    try:
        verdicts = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(verdicts, dict) or not {"recipe", "profile", "overrides", "claims"} <= verdicts.keys():
        return None
    try:
        manifest = json.loads((path.parent / "manifest.json").read_bytes()) if path.name == "claims.json" else {}
    except (OSError, ValueError):
        manifest = {}
    return Stored(path, verdicts, manifest)


def paired(
    before: Iterable[Stored], after: Iterable[Stored]
) -> tuple[list[tuple[Stored, Stored]], list[Stored], list[Stored]]:
    """The runs that belong together, and those of either side that are left."""
    ours, theirs = list(before), list(after)
    pairs: list[tuple[Stored, Stored]] = []
    keys: tuple[Callable[[Stored], Any], ...] = (
        lambda run: (run.name, run.verdicts["profile"], tuple(run.verdicts["overrides"])),
        lambda run: (run.name, run.verdicts["profile"]),
        lambda run: run.name,
    )
    for key in keys:
        here, there = Counter(map(key, ours)), Counter(map(key, theirs))
        single = {name for name, count in here.items() if count == there[name] == 1}
        others = {key(run): run for run in theirs if key(run) in single}
        pairs += [(run, others[key(run)]) for run in ours if key(run) in single]
        ours = [run for run in ours if key(run) not in single]
        theirs = [run for run in theirs if key(run) not in single]
    return sorted(pairs, key=lambda pair: (pair[0].name, _called(pair[0]))), ours, theirs


def _called(run: Stored) -> str:
    """The name of a run: its recipe, profile and overrides."""
    return " ".join((f"{run.name} ({run.verdicts['profile']})", *run.verdicts["overrides"]))


def _pair(before: Stored, after: Stored) -> Pair:
    settings = {
        key: (one, other) for key in SETTINGS if (one := before.verdicts.get(key)) != (other := after.verdicts.get(key))
    }
    if before.manifest and after.manifest:
        settings |= dict(_of_manifests(before.manifest, after.manifest))
    both = bool(before.manifest and after.manifest)
    changes = [
        change
        for change in _changes(before.verdicts["claims"], after.verdicts["claims"])
        if change.before is None or change.verdict_differs or change.moved or change.band_differs
    ]
    same_log = before.manifest.get("log") == after.manifest.get("log") if both else None
    return Pair(_called(after), settings, len(after.verdicts["claims"]), tuple(changes), same_log)


def _of_manifests(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Versions, device, platform and commit where they differ."""
    ours, theirs = (
        {**side.get("versions", {}), **{key: side.get(key) for key in _MANIFEST}} for side in (before, after)
    )
    for key in dict.fromkeys([*ours, *theirs]):
        if ours.get(key) != theirs.get(key):
            yield key, (ours.get(key), theirs.get(key))


def _changes(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> Iterator[Change]:
    """The claims of two runs, those that measure the same side by side."""
    ours, theirs = _by_identity(before), _by_identity(after)
    for key, (number, claim) in theirs.items():
        yield Change(number, ours[key][1] if key in ours else None, claim)
    for key, (number, claim) in ours.items():
        if key not in theirs:
            yield Change(number, claim, None)


def _by_identity(claims: list[dict[str, Any]]) -> dict[tuple[str, int], tuple[int, dict[str, Any]]]:
    """Claims with their numbers by what they measure: sentence and band may change."""
    seen: Counter[str] = Counter()
    found = {}
    for number, claim in enumerate(claims, 1):
        what = json.dumps([claim["claim"], claim["where"], claim["with"]], sort_keys=True)
        found[what, seen[what]] = number, claim
        seen[what] += 1
    return found
