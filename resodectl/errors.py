"""The one kind of error that is meant for the person at the shell."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """What is wrong, where, and what to do, in one sentence; the command ends with `exit_code`."""

    exit_code = 2


def suggestion(word: str, known: Iterable[str]) -> str:
    """A closing clause that names the nearest known word, or all of them when none is near."""
    choices = sorted(known)
    near = get_close_matches(word, choices, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"known: {', '.join(choices)}" if choices else "none is known"


def in_short(error: BaseException) -> str:
    """An error as its type and the first line of its message; a UserError is its message."""
    first = next(iter(str(error).splitlines()), "")
    if isinstance(error, UserError):
        return first
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
