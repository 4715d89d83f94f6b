"""What estimates are compared with: R, or the best estimate where nobody knows R."""

import numpy as np
import pandas as pd

from resodectl.families.neis.comparison.spec import LEARNED


def ratios(rows: pd.DataFrame) -> pd.Series:
    """Each estimate over R; NaN where nobody knows R.

    >>> ratios(pd.DataFrame({"log_estimate": [0.0, 0.0], "log_exact": [0.0, np.nan]})).tolist()
    [1.0, nan]
    """
    with np.errstate(over="ignore"):
        return pd.Series(np.exp(rows["log_estimate"] - rows["log_exact"]))


def log_best(estimates: pd.DataFrame) -> tuple[float, str]:
    """The logarithm of the best estimate of one target, and the method that it is of.

    It is the mean of the estimates of the method that spreads least about its own mean, in standard errors of the mean.
    Runs that are warned of have no part in it, nor have flows that were made to collapse.
    """
    trusted = estimates[~estimates["warned"] & ~estimates["method"].str.startswith(f"{LEARNED} ")]
    found = []
    for method, own in trusted.groupby("method"):
        largest = own["log_estimate"].max()
        values = np.exp(own["log_estimate"] - largest)
        if len(values) > 1 and np.isfinite(largest):
            error = values.std(ddof=1) / values.mean() / len(values) ** 0.5
            found.append((float(error), float(largest + np.log(values.mean())), str(method)))
    if not found:
        return float("nan"), "none"
    _, log_mean, method = min(found)
    return log_mean, method
