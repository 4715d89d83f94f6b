"""Orders in 1/N of what the inverse scheme and the memory-free adjoint get wrong, and the figures that show them.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612), section 4.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims import estimate
from resodectl.claims.estimate import Estimate
from resodectl.drawing.axes import depth_axis, note, reference_slope, spread
from resodectl.drawing.colours import BLUE, GREEN, NAVY, ORANGE, PURPLE, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import in_order
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.adjoint.reconstruction.spec import Params

Error = Literal["reconstruction", "gradient", "layer_gradient"]

CAP = 6.0
COLOURS = {"smooth": BLUE, "tied": GREEN, "brownian": ORANGE, "iid": PURPLE, "alternating": VERMILLION}
SCHEMES = {"euler": ("Euler", NAVY), "heun": ("Heun", VERMILLION)}
KINDS = {kind: "Brownian" if kind == "brownian" else kind for kind in COLOURS}
ERRORS: dict[Error, tuple[str, str]] = {
    "reconstruction": ("reconstructed input", "relative error"),
    "gradient": ("gradient", "relative error"),
    "layer_gradient": ("gradient of the worst layer", "absolute error"),
}
FIT_FROM = 64  # layers: shallower networks are not in the asymptotic regime
ORDERS: dict[
    str, dict[str, tuple[tuple[int, float, str], ...]]
] = {  # orders to compare with, by scheme and kind: order, height above the curve, label
    "euler": dict.fromkeys(COLOURS, ((-1, 3.0, "$N^{-1}$"),)),
    "heun": {
        "smooth": ((-2, 4.0, "$N^{-2}$ (paper)"), (-3, 0.2, "$N^{-3}$ (defect)")),
        "tied": ((-2, 4.0, "$N^{-2}$ (paper)"), (-3, 0.2, "$N^{-3}$ (defect)")),
        "brownian": ((-2, 0.3, "$N^{-2}$ (defect)"),),
    },
}


def measure_loglog_slope(rows: pd.DataFrame, *, error: Error) -> Estimate:
    """The order of an error in the depth: the slope of its logarithm against that of N, a seed at a time."""
    return estimate.per_seed(rows, lambda of_seed: _slope(of_seed, error))


def measure_slope_difference(rows: pd.DataFrame, *, error: Error) -> Estimate:
    """Heun's slope minus Euler's: how many powers of 1/N Heun wins (negative) on the same weights and inputs."""

    def of_seed(both: pd.DataFrame) -> float:
        heun, euler = (_slope(both[both["scheme"] == scheme], error) for scheme in ("heun", "euler"))
        return heun - euler

    return estimate.per_seed(rows, of_seed)


def measure_leading_gap(rows: pd.DataFrame) -> Estimate:
    """How far the error of the reconstructed input is from its leading term, relative to it; at the worst depth.

    It is 1 at most, which is what a leading term of zero would give.
    """
    return estimate.per_seed(rows, lambda own: own["leading_gap"].fillna(1.0).clip(upper=1.0).max())


def measure_log10_of_bound(rows: pd.DataFrame) -> Estimate:
    """log10 of the largest ratio of the reconstruction's distance to its bound, capped where it explodes."""

    def of_seed(own: pd.DataFrame) -> float:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.log10(own["distance"].to_numpy() / own["distance_bound"].to_numpy())
        return float(np.clip(np.nan_to_num(ratios, nan=CAP, posinf=CAP), -CAP, CAP).max())

    return estimate.per_seed(rows, of_seed)


def draw_kinds(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """The three errors against depth, a curve for each kind of weights; dashed for Heun networks beside Euler's."""
    rows = log["errors"]
    several = rows["scheme"].nunique() > 1
    figure, axes = panels(1, len(ERRORS))
    for ax, (error, (title, unit)) in zip(axes, ERRORS.items(), strict=True):
        slopes = []
        for kind, of_kind in in_order(rows, "weights", COLOURS):
            for scheme, own in in_order(of_kind, "scheme", SCHEMES):
                of_scheme = f", {SCHEMES[scheme][0]}" if several else ""
                line, label = "--" if several and scheme == "heun" else "-", f"{KINDS[kind]} weights{of_scheme}"
                spread(ax, own, "depth", f"{error}_error", colour=COLOURS[kind], label=label, line=line)
                slopes.append((KINDS[kind] + of_scheme, _median_slope(own, error)))
        _log_axes(ax, rows)
        ax.set_title(title)
        ax.set_ylabel(unit)
        order = -2 if error == "layer_gradient" else -1
        _reference(ax, rows, error, order, 6.0, f"$N^{{{order}}}$")
        _fits(ax, slopes)
    return finish(figure, recipe)


def draw_orders(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Euler and Heun side by side, a column for each kind of weights, with the paper's orders and the derived one."""
    rows = log["errors"]
    errors: tuple[Error, ...] = ("reconstruction", "gradient")
    kinds = [kind for kind, _ in in_order(rows, "weights", COLOURS)]
    figure, axes = panels(len(errors), len(kinds), panel=(3.3, 2.9), sharey=True)
    for ax, (error, kind) in zip(axes, ((error, kind) for error in errors for kind in kinds), strict=True):
        schemes = in_order(rows[rows["weights"] == kind], "scheme", SCHEMES)
        for scheme, own in schemes:
            name, colour = SCHEMES[scheme]
            spread(ax, own, "depth", f"{error}_error", colour=colour, label=f"{name} network")
            for slope, factor, label in ORDERS[scheme].get(kind, ()):
                _reference(ax, own, error, slope, factor, label)
        _log_axes(ax, rows)
        ax.set_title(f"{'input' if error == errors[0] else 'gradient'}, {KINDS[kind]} weights")
        ax.set_ylabel("{1},\n{0}".format(*ERRORS[error]) if kind == kinds[0] else "")
        _fits(ax, [(SCHEMES[scheme][0], _median_slope(own, error)) for scheme, own in schemes])
    return finish(figure, recipe)


def _slope(rows: pd.DataFrame, error: Error) -> float:
    return estimate.loglog_slope(rows["depth"], rows[f"{error}_error"])


def _median_slope(rows: pd.DataFrame, error: Error) -> float:
    deep = rows[rows["depth"] >= FIT_FROM]
    return float(np.median([_slope(own, error) for _, own in deep.groupby("seed")])) if len(deep) else math.nan


def _log_axes(ax: Axes, rows: pd.DataFrame) -> None:
    ax.set_yscale("log")
    depth_axis(ax, rows["depth"])


def _reference(ax: Axes, rows: pd.DataFrame, error: Error, slope: float, factor: float, label: str) -> None:
    """A power law at `factor` times the median error of the first depth that the fits use."""
    deep = rows[rows["depth"] >= FIT_FROM]
    if deep["depth"].nunique() < 2:
        return
    first, last = float(deep["depth"].min()), float(deep["depth"].max())
    height = float(deep.loc[deep["depth"] == first, f"{error}_error"].median())
    if math.isfinite(height):
        reference_slope(ax, (first, last), slope, (first, factor * height), label)


def _fits(ax: Axes, slopes: Sequence[tuple[str, float]]) -> None:
    """The fitted slopes, in the corner that falling curves leave free."""
    lines = [f"{name}: {slope:.2f}".replace("-", "\N{MINUS SIGN}") for name, slope in slopes]
    note(ax, "\n".join([f"slopes, $N \\geq {FIT_FROM}$", *lines]), "lower left")
