"""The figure of one claim of a sweep: its estimate against one parameter, or a map of verdicts over two."""

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate
from resodectl.drawing.colours import BLACK, BLUE, GREEN, GREY, ORANGE, SILVER, VERMILLION
from resodectl.drawing.legend import legend_below
from resodectl.drawing.style import panels
from resodectl.recipe.schema import Band
from resodectl.sweeps.grid import Axis
from resodectl.sweeps.regions import changes, counts, region, stretches
from resodectl.sweeps.sweep import Found, Sweep, own_value

COLOURS = {
    "holds": BLUE,
    "fails": VERMILLION,
    "unclear": ORANGE,
    "no interval": SILVER,
    "no rows": SILVER,
    "error": BLACK,
}
WIDE, MAP = (6.4, 3.9), (6.0, 4.8)  # inches
LINE = 80  # letters of a title
WRITTEN = 64  # points of a map, at most, whose estimates are written out
DECADES = 2.0  # from so many on, estimates have a logarithmic axis


def draw(sweep: Sweep, claim: int, found: Sequence[Found]) -> Figure:
    """The figure of one claim; `found` is of that claim alone, a verdict or an error at every point."""
    of_claim = sweep.recipe.claims[claim]
    figure, (ax,) = panels(1, 1, panel=WIDE if len(sweep.axes) == 1 else MAP)
    below = (_line if len(sweep.axes) == 1 else _map)(ax, sweep, claim, found)
    lines = [*textwrap.wrap(of_claim.says, LINE), *textwrap.wrap(below, LINE)]
    ax.set_title("\n".join(lines), parse_math=False)
    legend_below(figure)
    return figure


def _line(ax: Axes, sweep: Sweep, claim: int, found: Sequence[Found]) -> str:
    """The estimate against the one parameter; returns where the claim holds, in words."""
    (axis,) = sweep.axes
    places = _places(ax, axis)
    band = sweep.recipe.claims[claim].band(sweep.recipe.profile)
    known = [(place, one.judgement, own) for place, one in zip(places, found, strict=True) if (own := _estimate(one))]
    for judgement, colour in COLOURS.items():
        here = [(place, estimate) for place, of_point, estimate in known if of_point == judgement]
        if here:
            values, lows, highs = (np.array([getattr(own, end) for _, own in here]) for end in ("value", "low", "high"))
            bars = np.nan_to_num(np.array([values - lows, highs - values]), posinf=0.0).clip(0)
            ax.errorbar([place for place, _ in here], values, bars, fmt="o", color=colour, label=judgement, capsize=2.5)
    _scale(ax, [estimate for *_, estimate in known], band)
    _shade(ax, band)
    lacking = [(place, one.judgement) for place, one in zip(places, found, strict=True) if _estimate(one) is None]
    for judgement in dict.fromkeys(of_point for _, of_point in lacking):
        x = [place for place, of_point in lacking if of_point == judgement]
        ax.plot(
            x, [0.02] * len(x), "x", color=COLOURS[judgement], label=f"{judgement} (no value)",
            transform=ax.get_xaxis_transform(), clip_on=False, zorder=4,
        )  # fmt: skip
    _mark_own(ax, sweep)
    judgements = [one.judgement for one in found]
    for low, high in changes(stretches(places, judgements)):
        ax.axvspan(low, high, color=GREY, alpha=0.15, linewidth=0, label="the verdict changes")
    ax.set_xlabel(axis.key)
    ax.set_ylabel(f"estimate of {sweep.recipe.claims[claim].claim}")
    return region(axis.values, judgements)


def _map(ax: Axes, sweep: Sweep, claim: int, found: Sequence[Found]) -> str:
    """The verdicts over the two parameters; returns how many points there are of each, in words."""
    across, up = sweep.axes
    kinds = list(COLOURS)
    judged = np.array([kinds.index(one.judgement) for one in found]).reshape(len(across.values), len(up.values)).T
    norm = BoundaryNorm(np.arange(len(kinds) + 1) - 0.5, len(kinds))
    x, y = np.arange(len(across.values)), np.arange(len(up.values))
    colours = ListedColormap([COLOURS[kind] for kind in kinds])
    ax.pcolormesh(x, y, judged, cmap=colours, norm=norm, shading="nearest", alpha=0.6, edgecolor="white", linewidth=0.8)
    ax.grid(visible=False)
    values = np.array([_finite(one) for one in found]).reshape(judged.T.shape).T
    band = sweep.recipe.claims[claim].band(sweep.recipe.profile)
    for end in (band.low, band.high):
        if end is not None and min(values.shape) > 1 and np.nanmin(values) < end < np.nanmax(values):
            ax.contour(x, y, values, levels=[end], colors=BLACK, linewidths=1.3, linestyles="-")
            ax.plot([], [], "-", color=BLACK, linewidth=1.3, label="the estimate leaves the band")
    for number, kind in enumerate(kinds):
        if (judged == number).any():
            ax.plot([], [], "s", color=COLOURS[kind], alpha=0.6, markersize=9, label=kind)
    for place, axis, set_ticks, set_label in (
        (x, across, ax.set_xticks, ax.set_xlabel),
        (y, up, ax.set_yticks, ax.set_ylabel),
    ):
        every = math.ceil(len(place) / 12)
        set_ticks(place[::every], [_short(value) for value in axis.values[::every]])
        set_label(axis.key)
    own = [at for axis in sweep.axes if (at := _on_axis(axis, own_value(sweep.recipe, axis.key))) is not None]
    if len(own) == len(sweep.axes):
        ax.plot(
            [own[0]], [own[1]], "*", color="white", markeredgecolor=BLACK, markersize=15,
            label="the recipe's own setting",
        )  # fmt: skip
    if judged.size <= WRITTEN:
        for (row, column), value in np.ndenumerate(values):
            ax.annotate(f"{value:.3g}", (x[column], y[row]), ha="center", va="center", fontsize=7)
    return f"{counts([one.judgement for one in found])}; the band is {band}"


def _places(ax: Axes, axis: Axis) -> Sequence[float]:
    """Where the values stand on the x axis, which gets its scale and ticks; words stand side by side."""
    if axis.numeric:
        if axis.geometric:
            ax.set_xscale("log")
        return axis.values
    ax.set_xticks(range(len(axis.values)), [_short(value) for value in axis.values])
    return range(len(axis.values))


def _scale(ax: Axes, estimates: Sequence[Estimate], band: Band) -> None:
    """A logarithmic y axis if all that is shown is positive and spans decades."""
    ends = [
        end for estimate in estimates for end in (estimate.value, estimate.low, estimate.high) if math.isfinite(end)
    ]
    ends += [end for end in (band.low, band.high) if end is not None]
    if min(ends) > 0 and max(ends) >= 10**DECADES * min(ends):
        ax.set_yscale("log")


def _shade(ax: Axes, band: Band) -> None:
    """The band, up to the edge of the panel where it is open, and in view where it is not."""
    ends = [end for end in (band.low, band.high) if end is not None]
    ax.update_datalim([(ax.get_xlim()[0], end) for end in ends], updatex=False)
    ax.autoscale_view(scalex=False)
    low, high = ax.get_ylim()
    bottom, top = low if band.low is None else band.low, high if band.high is None else band.high
    label = f"band {band}"
    if bottom == top:
        ax.axhline(bottom, color=GREEN, linewidth=1.5, label=label, zorder=1)
    else:
        ax.axhspan(bottom, top, color=GREEN, alpha=0.15, linewidth=0, label=label, zorder=0)
    ax.set_ylim(low, high)


def _mark_own(ax: Axes, sweep: Sweep) -> None:
    (axis,) = sweep.axes
    own = own_value(sweep.recipe, axis.key)
    place = own if axis.numeric else _on_axis(axis, own)
    if isinstance(place, int | float) and not isinstance(place, bool):
        ax.axvline(place, color=GREY, linestyle=":", linewidth=1.3, label="the recipe's own setting", zorder=1.5)


def _on_axis(axis: Axis, value: Any) -> float | None:
    """Where a value stands among those of an axis, the first of which stands at 0; None if it does not."""
    if value in axis.values:
        return axis.values.index(value)
    if not axis.numeric or not isinstance(value, int | float) or list(axis.values) != sorted(axis.values):
        return None
    if not axis.values[0] <= value <= axis.values[-1]:
        return None
    scaled = np.log if axis.geometric else np.asarray
    return float(np.interp(scaled(value), scaled(axis.values), range(len(axis.values))))


def _estimate(one: Found) -> Estimate | None:
    """The estimate of a point, if it has a value."""
    estimate = one.verdict.estimate if one.verdict else None
    return estimate if estimate is not None and math.isfinite(estimate.value) else None


def _finite(one: Found) -> float:
    estimate = _estimate(one)
    return math.nan if estimate is None else estimate.value


def _short(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 18 else f"{text[:15]}..."
