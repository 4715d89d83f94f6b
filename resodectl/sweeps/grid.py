"""The values over which a parameter is swept, as they are written on the command line.

A list `0.25,0.5,1`, a grid `0.1..1.0/10` of ten values, a geometric one `1e-3..1e-1/log/9`, or `4..256/x2`, where each
integer is twice the one before.
"""

import math
import re
from dataclasses import dataclass, replace
from typing import Any

from resodectl.errors import UserError
from resodectl.recipe.merging import as_text
from resodectl.recipe.reading import read_text

MOST_VALUES = 1000
DIGITS = 12  # significant, of the values between the ends: 0.3, not 0.30000000000000004
GEOMETRIC_DIGITS = 4  # of those of a geometric range, where no more are meant
_RANGE = re.compile(r"(?P<low>[^/,\[{]+?)\.\.(?P<high>[^/,]+)(?P<steps>(?:/[^/]*)*)")


@dataclass(frozen=True)
class Axis:
    """A parameter, as `--set` names it, and the values over which it is swept, all different; numbers rise."""

    key: str
    values: tuple[Any, ...]

    @property
    def numeric(self) -> bool:
        """Whether all values are numbers, so that they have an order and distances."""
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value in self.values)

    @property
    def geometric(self) -> bool:
        """Whether the values suit a logarithmic axis: positive, and over more than a factor of 8."""
        return self.numeric and min(self.values) > 0 and max(self.values) >= 8 * min(self.values)

    def override(self, value: Any) -> str:
        """The `--set` of one value.

        >>> Axis("depths", ([8, 16],)).override([8, 16])
        'depths=[8, 16]'
        """
        return f"{self.key}={as_text(value)}"


def axis(text: str) -> Axis:
    """What one `--over KEY=VALUES` says.

    Raises:
        UserError: it is not of that form, or a value stands twice.

    >>> axis("alpha=0.1..0.5/5").values
    (0.1, 0.2, 0.3, 0.4, 0.5)
    >>> axis("lr=1e-3..1e-1/log/3").values, axis("depth=4..64/x4").values, axis("act=relu,tanh").values
    ((0.001, 0.01, 0.1), (4, 16, 64), ('relu', 'tanh'))
    """
    source = f"--over {text}"
    key, equals, written = text.partition("=")
    key = key.strip()
    if not (key and equals and written.strip()):
        raise UserError(f"{source}: is not of the form key=values, such as --over alpha=0.25,0.5,1")
    found = _RANGE.fullmatch(written.strip())
    values = _between(source, *found.group("low", "high", "steps")) if found else _listed(source, written)
    if len(values) > MOST_VALUES:
        raise UserError(f"{source}: more than {MOST_VALUES} values are too many")
    for value in values:
        if values.count(value) > 1:
            raise UserError(f"{source}: the value {as_text(value)} stands twice")
    swept = Axis(key, tuple(values))
    return replace(swept, values=tuple(sorted(values))) if swept.numeric else swept


def interval(text: str) -> tuple[str, float, float]:
    """The key and the ends of `KEY=LOW..HIGH`; both ends are integers or both are floats.

    Raises:
        UserError: it is not of that form, or the ends are in the wrong order.

    >>> interval("depth=4..64")
    ('depth', 4, 64)
    """
    source = f"--edge {text}"
    key, equals, written = text.partition("=")
    found = _RANGE.fullmatch(written.strip())
    if not (key.strip() and equals and found) or found["steps"]:
        raise UserError(f"{source}: is not of the form key=low..high, such as --edge alpha=0.25..1")
    low, high = _ends(source, found["low"], found["high"])
    return key.strip(), low, high


def _listed(source: str, written: str) -> list[Any]:
    if ".." in written:
        raise UserError(
            f"{source}: is no list and no range; write low..high/count, low..high/log/count or low..high/xfactor"
        )
    values: list[Any] = read_text(f"[{written}]", source).data
    if any(value is None for value in values) and "null" not in written:
        raise UserError(f"{source}: a value of the list is missing")
    return values


def _between(source: str, first: str, last: str, steps: str) -> list[Any]:
    low, high = _ends(source, first, last)
    integers = isinstance(low, int)
    match steps.split("/")[1:]:
        case [factor] if factor.startswith("x"):
            return _multiples(source, low, high, _count(source, factor[1:], "factor"), integers)
        case [count]:
            number = _count(source, count, "number of values")
            digits, values = DIGITS, [low + (high - low) * step / (number - 1) for step in range(number)]
        case ["log", count]:
            number = _count(source, count, "number of values")
            if low <= 0:
                raise UserError(f"{source}: a geometric range begins above 0")
            digits = GEOMETRIC_DIGITS
            values = [low * math.exp(math.log(high / low) * step / (number - 1)) for step in range(number)]
        case _:
            raise UserError(f"{source}: after the range stands /count, /log/count or /xfactor")
    rounded = [low, *(float(f"{value:.{digits}g}") for value in values[1:-1]), high]
    whole = integers and all(value == int(value) for value in rounded)
    return list(map(int if whole else float, rounded))


def _multiples(source: str, low: float, high: float, factor: int, integers: bool) -> list[Any]:
    if not integers or low < 1:
        raise UserError(f"{source}: /x{factor} is for positive integers; write low..high/log/count")
    values = [low]
    while values[-1] * factor <= high:
        values.append(values[-1] * factor)
    return values


def _ends(source: str, first: str, last: str) -> tuple[float, float]:
    ends = [read_text(text, source).data for text in (first, last)]
    if any(isinstance(end, bool) or not isinstance(end, int | float) for end in ends):
        raise UserError(f"{source}: the ends of a range are numbers")
    low, high = ends
    if low >= high:
        raise UserError(f"{source}: the low end of a range must be below its high end")
    return (low, high) if isinstance(low, int) and isinstance(high, int) else (float(low), float(high))


def _count(source: str, text: str, what: str) -> int:
    if not (text.isascii() and text.isdecimal() and 2 <= int(text) <= MOST_VALUES):
        raise UserError(f"{source}: the {what} is a whole number from 2 to {MOST_VALUES}, not '{text}'")
    return int(text)
