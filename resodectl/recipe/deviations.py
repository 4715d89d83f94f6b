"""In which settings a profile differs from the paper, in few words."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Deviation:
    """One setting that differs from the paper's."""

    key: str
    paper: Any
    here: Any

    def __str__(self) -> str:
        here, paper = _brief(self.here), _brief(self.paper)
        if here == paper:  # they differ in what a brief leaves out
            here, paper = json.dumps(self.here), json.dumps(self.paper)
        return f"{self.key}: {here} (paper: {paper})"


def differences(paper: Any, here: Any, key: str = "") -> Iterator[Deviation]:
    """What differs between two groups of settings.

    Groups are compared setting by setting, lists of equally many groups group by group; but a tagged choice that
    differs in `kind` differs as a whole.

    >>> [str(found) for found in differences({"runs": [{"lr": 0.1, "steps": 9}]}, {"runs": [{"lr": 0.2, "steps": 9}]})]
    ['runs.0.lr: 0.2 (paper: 0.1)']
    """
    if isinstance(paper, dict) and isinstance(here, dict) and paper.get("kind") == here.get("kind"):
        for name in dict.fromkeys([*here, *paper]):
            yield from differences(paper.get(name), here.get(name), f"{key}.{name}" if key else name)
    elif _groups(paper) and _groups(here) and len(paper) == len(here):
        for number, (of_paper, of_here) in enumerate(zip(paper, here, strict=True)):
            yield from differences(of_paper, of_here, f"{key}.{number}")
    elif paper != here:
        yield Deviation(key, paper, here)


def _groups(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _brief(value: Any) -> str:
    """A value short enough for a footer: a long list by its ends, groups by their number, a choice by its kind.

    >>> _brief([8, 16, 32, 64, 128]), _brief([{"lr": 0.1}, {"lr": 0.2}]), _brief({"kind": "adam", "lr": 0.1})
    ('8..128 (5)', '2 of them', 'adam')
    """
    if isinstance(value, dict):
        return (
            str(value["kind"]) if "kind" in value else ", ".join(f"{key} {_brief(own)}" for key, own in value.items())
        )
    if isinstance(value, list) and _groups(value) and value:
        return f"{len(value)} of them" if len(value) > 1 else _brief(value[0])
    if isinstance(value, list) and len(value) > 4:
        return f"{_brief(value[0])}..{_brief(value[-1])} ({len(value)})"
    if isinstance(value, list):
        return "[" + ", ".join(map(_brief, value)) + "]"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)
