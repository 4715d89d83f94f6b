"""Estimates with 95 % intervals over independent units (seeds or declared replicates)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.95
BOOTSTRAP_FROM = 20
RESAMPLES = 9_999


@dataclass(frozen=True)
class Estimate:
    """A measured value with its 95 % interval, from `units` independent units (0 for an exact quantity).

    Raises:
        ValueError: the interval's ends are in the wrong order, or the value is not between them.
    """

    value: float
    low: float
    high: float
    units: int
    method: Literal["student", "bootstrap", "exact"]

    def __post_init__(self) -> None:
        for name in ("value", "low", "high"):
            object.__setattr__(self, name, float(getattr(self, name)))
        object.__setattr__(self, "units", int(self.units))
        if self.low > self.high:
            raise ValueError(f"an interval from {self.low} down to {self.high}")
        rounding = 1e-9 * max(abs(self.low), abs(self.high))
        if self.finite and not self.low - rounding <= self.value <= self.high + rounding:
            raise ValueError(f"the value {self.value} is outside its interval [{self.low}, {self.high}]")

    @property
    def finite(self) -> bool:
        """Whether the value and both ends of the interval are finite."""
        return all(map(math.isfinite, (self.value, self.low, self.high)))

    def __str__(self) -> str:
        """The value with its interval, with the digits that the interval supports.

        >>> str(Estimate(-1.00312, -1.01, -0.996, 8, "student")), str(exact(4))
        ('-1.003 [-1.010, -0.996]', '4')
        """
        width = self.high - self.low
        if not math.isfinite(width) or width == 0 or not math.isfinite(self.value):
            return f"{self.value:.6g}" + ("" if width == 0 else " [?, ?]")
        scale = max(abs(self.low), abs(self.high))
        if scale and not 1e-3 <= scale < 1e5:
            return f"{self.value:.2e} [{self.low:.2e}, {self.high:.2e}]"
        digits = min(6, max(0, 1 - math.floor(math.log10(width))))
        return f"{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


def exact(value: float, error: float = 0.0) -> Estimate:
    """A deterministic quantity, known within `error` (from refinement or arithmetic)."""
    return Estimate(float(value), float(value - error), float(value + error), 0, "exact")


def over_units(values: Iterable[float]) -> Estimate:
    """The mean over independent units: Student's t below 20 units, the BCa bootstrap of the mean from 20 on.

    With a single unit, none at all, or a non-finite unit, the interval is NaN: nothing is known about the spread.
    """
    sample = np.asarray(list(values), dtype=float)
    value = float(sample.mean()) if sample.size else math.nan
    if sample.size < 2 or not np.isfinite(sample).all():
        return Estimate(value, math.nan, math.nan, sample.size, "student")
    from scipy import stats

    if sample.size < BOOTSTRAP_FROM or np.ptp(sample) == 0:
        error = float(stats.t.ppf((1 + LEVEL) / 2, sample.size - 1) * sample.std(ddof=1) / math.sqrt(sample.size))
        return Estimate(value, value - error, value + error, sample.size, "student")
    resampled = stats.bootstrap(
        (sample,), np.mean, n_resamples=RESAMPLES, confidence_level=LEVEL, rng=np.random.default_rng(0)
    )
    interval = resampled.confidence_interval
    return Estimate(value, float(interval.low), float(interval.high), sample.size, "bootstrap")


def per_seed(rows: pd.DataFrame, statistic: Callable[[pd.DataFrame], float]) -> Estimate:
    """The mean over seeds of a statistic of each seed's rows."""
    return over_units(float(statistic(group)) for _, group in rows.groupby("seed", sort=True))


def loglog_slope(x: Iterable[float], y: Iterable[float]) -> float:
    """The least-squares slope of log y against log x; NaN unless both are positive and x takes two values."""
    with np.errstate(divide="ignore", invalid="ignore"):
        log_x, log_y = (np.log(np.asarray(list(values), dtype=float)) for values in (x, y))
    if np.unique(log_x).size < 2 or not (np.isfinite(log_x).all() and np.isfinite(log_y).all()):
        return math.nan
    return float(np.polyfit(log_x, log_y, 1)[0])
