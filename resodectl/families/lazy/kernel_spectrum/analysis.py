"""How ill-conditioned the tangent kernel is, whether it is whole, and the figure of its eigenvalues.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), appendix.
"""

import math
from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, over_units, per_seed
from resodectl.drawing.axes import log_axis, spread
from resodectl.drawing.colours import BLUE, GREY, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import in_order
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.lazy.kernel_spectrum.spec import SOURCES, Params

NAMES = {
    "images": ("images", BLUE, "-"),
    "uniform": ("uniformly random pixels", VERMILLION, "--"),
    "independent": ("independent gradients", GREY, ":"),
}


def measure_log10_eigenvalue(rows: pd.DataFrame, *, at: float) -> Estimate:
    """log10 of an eigenvalue over the largest one, `at` the given share of their number, mean over seeds."""
    return per_seed(rows, lambda own: _log10_ratio(own, at))


def measure_log10_gap(rows: pd.DataFrame, *, at: float) -> Estimate:
    """That logarithm for images minus that for the other source, mean over seeds."""

    def of_seed(own: pd.DataFrame) -> float:
        on_images = own["source"] == "images"
        return _log10_ratio(own[on_images], at) - _log10_ratio(own[~on_images], at)

    return per_seed(rows, of_seed)


def _log10_ratio(own: pd.DataFrame, at: float) -> float:
    values = own.set_index("index")["eigenvalue"]
    chosen, largest = values[math.ceil(at * len(values))], values[1]
    return math.log10(chosen / largest) if chosen > 0 else -math.inf


def measure_residual(rows: pd.DataFrame) -> Estimate:
    """The share of the squared error that is left after the most steps, mean over seeds."""
    return over_units(rows[rows["steps"] == rows["steps"].max()].groupby("seed")["residual"].mean())


def measure_product_error(rows: pd.DataFrame) -> Estimate:
    """The largest relative error of a product with the kernel of a seed, mean over seeds."""
    return per_seed(rows, lambda own: own["product_error"].max(skipna=False))


def measure_homogeneity(rows: pd.DataFrame) -> Estimate:
    """The degree of the outputs in the weights by Euler's identity, mean over seeds."""
    return per_seed(rows, lambda own: own["homogeneity"].mean())


def draw_spectra(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """The eigenvalues over the largest one, sorted, and the error that descent leaves."""
    figure, axes = panels(1, 2, panel=(4.6, 3.4))
    spectra = log["spectra"]
    largest = spectra.groupby(["source", "seed"])["eigenvalue"].transform("max")
    for rows, column, ax in (
        (spectra.assign(relative=spectra["eigenvalue"] / largest), "relative", axes[0]),
        (log["descent"], "residual", axes[1]),
    ):
        x = "index" if column == "relative" else "steps"
        for source, own in in_order(rows, "source", SOURCES):
            label, colour, line = NAMES[source]
            shown = own if x == "steps" else own[own[column] > 0]
            spread(ax, shown, x, column, colour=colour, label=label, line=line, marker="" if x == "index" else "o")
    log_axis(axes[0])
    axes[0].set(xlabel="index", ylabel="eigenvalue / largest eigenvalue", title="eigenvalues of the kernel")
    axes[1].set(xlabel="steps of size 1 / largest eigenvalue", ylabel="squared error left", xscale="log",
                title="descent in the kernel", ylim=(-0.03, 1.03))  # fmt: skip
    return finish(figure, recipe)
