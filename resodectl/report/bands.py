"""A small drawing of an estimate on its band, as SVG."""

import math
from collections.abc import Mapping
from typing import Any

WIDTH, HEIGHT, PAD = 180, 22, 6  # pixels


def picture_of_band(claim: Mapping[str, Any]) -> str:
    """The band, the interval of the estimate, and the published value (a tick) and that of theory (a hollow one).

    An end that is open runs to the edge. "" where there is nothing to draw.

    >>> picture_of_band({"estimate": None, "within": [0, 1], "published": None, "theory": None})
    ''
    """
    estimate = claim["estimate"]
    if estimate is None or estimate["value"] is None:
        return ""
    low, high = claim["within"]
    ends = [end if end is not None else estimate["value"] for end in (estimate["low"], estimate["high"])]
    theory = (claim["theory"] or {}).get("value")
    known = [value for value in (low, high, *ends, estimate["value"]) if value is not None]
    left, right = min(known), max(known)
    room = 0.25 * (right - left) or abs(left) or 1.0
    left, right = left - room, right + room

    def x(value: float) -> float:
        place = PAD + (WIDTH - 2 * PAD) * (value - left) / (right - left)
        return round(min(max(place, 0.0), float(WIDTH)), 1)

    begin, end = (0.0 if low is None else x(low)), (float(WIDTH) if high is None else x(high))
    marks = [
        f'<line class="{name}" x1="{x(value)}" x2="{x(value)}" y1="3" y2="{HEIGHT - 3}"/>'
        for name, value in (("published", claim["published"]), ("theory", theory))
        if value is not None and left <= value <= right and math.isfinite(value)
    ]
    return (
        f'<svg class="band" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" aria-hidden="true">'
        f'<rect x="{begin}" y="2" width="{round(max(end - begin, 1.5), 1)}" height="{HEIGHT - 4}"/>'
        f"{''.join(marks)}"
        f'<line class="interval" x1="{x(ends[0])}" x2="{x(ends[1])}" y1="{HEIGHT // 2}" y2="{HEIGHT // 2}"/>'
        f'<circle cx="{x(estimate["value"])}" cy="{HEIGHT // 2}" r="3.5"/></svg>'
    )
