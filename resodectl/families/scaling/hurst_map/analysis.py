"""Where untrained networks pass from the identity to explosion, what theory says of it, and the maps that show it.

Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929), Figure 7. The boundary is the beta where r = |h_L - h_0| / |h_0|
(or the same of gradients) is 1. It tends to max(1/2, H) for outputs, like 1 / log L. At finite depth, E r^2 =
exp(alpha^2 C) - 1 continues the first-order law E r^2 = alpha^2 C to r = 1, as the exact law of independent layers does
at large depth: alpha^2 C = log 2, so beta = log(C / log 2) / (2 log L).
"""

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims import estimate
from resodectl.claims.estimate import Estimate
from resodectl.drawing.axes import heat_map
from resodectl.drawing.colours import BLACK, DIVERGING, GREEN, ORANGE
from resodectl.drawing.finish import finish
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.scaling.hurst_map.spec import Architecture, Params
from resodectl.numerics.laws.correlations import Floats, fractional_noise
from resodectl.numerics.laws.residual_norms import Norm, critical_exponent, first_order_change

Average = Literal["log", "rms"]

SHORT: dict[Norm, str] = {"output": "out", "gradient": "grad"}
TITLES: dict[Norm, str] = {
    "output": "output: $\\log_{10} |h_L - h_0| / |h_0|$",
    "gradient": "gradient: $\\log_{10} |p_0 - p_L| / |p_L|$",
}
BARS = 17  # at most so many measured boundaries are drawn


def measure_boundary(rows: pd.DataFrame, *, norm: Norm, average: Average = "log") -> Estimate:
    """The beta where the mean of log10 r passes through 0, or the root mean square of r through 1, a draw at a time."""
    return estimate.per_seed(rows, lambda own: crossings(own, norm, average).mean())


def measure_smallest_rise(rows: pd.DataFrame, *, norm: Norm) -> Estimate:
    """How much the boundary rises from one Hurst index to the next, for each unit of H, where it rises least."""

    def of_seed(own: pd.DataFrame) -> float:
        found = crossings(own, norm)
        rises = np.diff(found) / np.diff(found.index)
        return float(np.min(rises)) if rises.size else math.nan

    return estimate.per_seed(rows, of_seed)


def measure_lag(rows: pd.DataFrame) -> Estimate:
    """How far the boundary of the gradients lies below that of the outputs."""
    return estimate.per_seed(rows, lambda own: (crossings(own, "output") - crossings(own, "gradient")).mean())


def measure_log10_of_first_order(rows: pd.DataFrame, *, norm: Norm) -> Estimate:
    """log10 of a draw's root mean square of r over that of the first-order law, in the mean over draws.

    Logarithms, for where layers are not small a mean of squares over few draws is no estimate of anything. Where they
    are, and r^2 has a relative variance v over draws, this is v / (4 log 10) below the logarithm of the mean: 0.007 for
    v = 0.06.
    """
    places = rows[["hurst", "beta", "depth", "dim", "architecture"]].itertuples(index=False)
    law = np.array([first_order(hurst, beta, depth, dim, norm, kind) for hurst, beta, depth, dim, kind in places])
    gaps = rows[f"log10_rms_{SHORT[norm]}"] - np.log10(law)
    return estimate.over_units(gaps.groupby(rows["seed"]).mean())


def crossings(rows: pd.DataFrame, norm: Norm, average: Average = "log") -> pd.Series:
    """The largest beta with r = 1, by linear interpolation in beta, for each Hurst index of one draw's rows.

    NaN where all networks explode, or none.
    """
    column = f"log10_{'rms_' if average == 'rms' else ''}{SHORT[norm]}"
    return rows.groupby("hurst", sort=True)[["beta", column]].apply(lambda own: _crossing(own.sort_values("beta")))


def _crossing(curve: pd.DataFrame) -> float:
    beta, logs = curve.to_numpy().T
    above = np.flatnonzero(logs >= 0)
    if not above.size or above[-1] == len(beta) - 1:
        return math.nan
    last = above[-1]
    return float(beta[last] + (beta[last + 1] - beta[last]) * logs[last] / (logs[last] - logs[last + 1]))


def first_order(
    hurst: float, beta: float, depth: int, dim: int, norm: Norm, architecture: Architecture = "res-3"
) -> float:
    """sqrt(E r^2) for fractional noise of Hurst index `hurst`, to first order in the scale of the layers."""
    correlation = fractional_noise(np.arange(depth), hurst)
    return first_order_change(correlation, beta, norm, dim, architecture)


def continued_boundary(
    hursts: Floats, depth: int, dim: int, norm: Norm, architecture: Architecture = "res-3"
) -> Floats:
    """The boundary of the law that continues the first-order law to r = 1."""
    squares = np.array([first_order(hurst, 0.0, depth, dim, norm, architecture) ** 2 for hurst in hursts])
    found: Floats = np.log(squares / math.log(2)) / (2 * math.log(depth))
    return found


def draw_maps(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Maps of the mean log10 r of outputs and of gradients over H and beta, with the boundaries of theory and ours."""
    rows, params = log["norms"], recipe.params
    figure, axes = panels(1, 2, panel=(4.9, 4.4), sharey=True)
    for ax, (norm, title) in zip(axes, TITLES.items(), strict=True):
        mesh = heat_map(ax, rows, "hurst", "beta", f"log10_{SHORT[norm]}", colours=DIVERGING, ends=(-1, 1))
        ax.set_xlabel(f"Hurst index $H$ of the weights ({params.depth} layers of width {params.dim})")
        _theory(ax, params, norm)
        _measured(ax, rows, norm)
        ax.set_title(title)
    axes[0].set_ylabel("scaling exponent $\\beta$")
    figure.colorbar(mesh, ax=axes, label="mean over draws and inputs", extend="both")
    return finish(figure, recipe)


def _theory(ax: Axes, params: Params, norm: Norm) -> None:
    x, y = ax.get_xlim(), ax.get_ylim()
    hursts = np.linspace(max(x[0], 0.01), min(x[1], 0.99), 99)
    boundaries = continued_boundary(hursts, params.depth, params.dim, norm, params.architecture)
    ax.plot(hursts, boundaries, color=BLACK, label="first-order law, continued to 1")
    if (norm, params.architecture) == ("output", "res-3"):
        ax.plot(
            hursts, np.maximum(0.5, hursts), "--", color=BLACK, linewidth=1.1, label="max(1/2, $H$): infinite depth"
        )
    exact = float(critical_exponent(params.depth))
    ax.plot(
        0.5, exact, "*", color=ORANGE, markersize=13, markeredgecolor=BLACK, zorder=4, label="independent layers, exact"
    )
    ax.set_xlim(x)
    ax.set_ylim(y)


def _measured(ax: Axes, rows: pd.DataFrame, norm: Norm) -> None:
    """The boundary of every draw's map: the mean, and bars of two standard deviations over the draws."""
    found = pd.DataFrame({seed: crossings(own, norm) for seed, own in rows.groupby("seed")})
    shown = found.dropna()
    if len(shown):
        shown = shown.iloc[:: -(-len(shown) // BARS)]
        spread = 2 * shown.std(axis=1, ddof=1).fillna(0.0)
        label = "boundary, $\\pm 2$ standard deviations of a draw"
        ax.errorbar(
            shown.index, shown.mean(axis=1), spread, fmt="o", color=GREEN, markersize=3.5, capsize=2, label=label
        )
