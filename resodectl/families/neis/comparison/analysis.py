"""How far estimates at an equal budget lie from R, and what one run tells of the share of R that it has not seen.

Cao & Vanden-Eijnden 2022 (arXiv 2206.09908), section 4. The figure is in `drawing`.
"""

import numpy as np
import pandas as pd

from resodectl.claims.estimate import Estimate, over_units
from resodectl.families.neis.comparison.drawing import draw_comparison as draw_comparison
from resodectl.families.neis.comparison.reference import ratios

TAIL = 0.7  # tail index from which estimates are commonly called unreliable
FARTHEST = 3.0  # decades that an estimate may be from R
SMALLEST = 1e-12  # smaller errors are rounding


def measure_log10_ratio(rows: pd.DataFrame) -> Estimate:
    """log10 of estimate / R, cut at -3 and 3; mean over estimates, those of all trained flows together."""
    with np.errstate(divide="ignore"):
        return over_units(np.log10(ratios(rows)).clip(-FARTHEST, FARTHEST))


def measure_log10_error_ratio(rows: pd.DataFrame, *, over: str) -> Estimate:
    """log10 |estimate / R - 1| of the method in the rows, less that of the method `over`; mean over repeats.

    Each repeat of all flows together is compared with its own part of the other method's estimates. Both methods have
    the same budget. What errors of one law have in common cancels.
    """
    errors = rows.assign(log_error=np.log10((ratios(rows) - 1).abs().clip(lower=SMALLEST)))
    differences = []
    for _, of_seed in errors.groupby("seed"):
        other, own = of_seed[of_seed["method"] == over], of_seed[of_seed["method"] != over]
        for repeat, of_repeat in own.groupby("repeat"):
            part = other[other["repeat"] % own["repeat"].nunique() == repeat]
            differences.append(of_repeat["log_error"].mean() - part["log_error"].mean())
    return over_units(differences)


def measure_log10_cost_ratio(rows: pd.DataFrame, *, over: str) -> Estimate:
    """log10 of variance x queries of the method `over`, over squared error x queries of that in the rows.

    Both are those of a sample. The squared error is the variance plus n times the squared bias of a flow's estimates of
    n samples: a small variance with a wrong mean costs much. Mean over flows; each flow is compared with its own part
    of the other method's estimates.
    """
    known = rows.assign(ratio=ratios(rows))
    logs = []
    for _, of_seed in known.groupby("seed"):
        other, own = of_seed[of_seed["method"] == over], of_seed[of_seed["method"] != over]
        flows = own["training"].nunique()
        for place, (_, of) in enumerate(own.groupby("training")):
            error = of["variance"].mean() + of["samples"].iloc[0] * (of["ratio"].mean() - 1) ** 2
            part = other[other["repeat"] % flows == place]
            cost = (part["variance"] * part["queries_each"]).mean()
            logs.append(np.log10(cost / (error * of["queries_each"].iloc[0])))
    return over_units(logs)


def measure_acceptance(rows: pd.DataFrame) -> Estimate:
    """The accepted share of the annealing moves, mean over estimates."""
    return over_units(rows["acceptance"])


def measure_unseen_share(rows: pd.DataFrame) -> Estimate:
    """The share of R in weights above the largest one that a run has seen, mean over flows."""
    return over_units(rows["unseen_share"])


def measure_warned(rows: pd.DataFrame) -> Estimate:
    """The share of runs that are warned of, since more than a tenth of R is in weights that they have not seen."""
    return over_units(rows["warned"].astype(float))


def measure_heavy_tailed(rows: pd.DataFrame) -> Estimate:
    """The share of runs whose tail index is above 0.7."""
    return over_units((rows["tail_index"] > TAIL).astype(float))
