"""What makes a path one of fractional Brownian motion, and a figure of some (arXiv 2206.06929, Figure 6)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from resodectl.claims import estimate
from resodectl.claims.estimate import Estimate
from resodectl.drawing.colours import BLACK, BLUE
from resodectl.drawing.finish import finish
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.scaling.fbm_paths.spec import Params
from resodectl.numerics.laws.correlations import fractional_noise

FURTHER = 4  # seeds whose paths are drawn faintly
FAINT = "#B8B8B8"


def measure_variance(rows: pd.DataFrame) -> Estimate:
    """The variance of an increment in units of N^-2H: 1."""
    return estimate.per_seed(rows, lambda of_seed: float(of_seed["variance"].mean()))


def measure_lag_error(rows: pd.DataFrame) -> Estimate:
    """The correlation of neighbouring increments minus 2^(2H-1) - 1, by the variance that the sample has."""

    def of_seed(own: pd.DataFrame) -> float:
        found = own["lag_covariance"] / own["variance"]
        return float((found - fractional_noise(1, own["hurst"].to_numpy()[0])).mean())

    return estimate.per_seed(rows, of_seed)


def measure_end_variance(rows: pd.DataFrame) -> Estimate:
    """The variance of B(1): 1."""
    return estimate.per_seed(rows, lambda of_seed: float(of_seed["end_square"].mean()))


def measure_roughness(rows: pd.DataFrame) -> Estimate:
    """The power of the time with which displacements grow, from single steps to half the path: the Hurst index."""
    return estimate.per_seed(rows, lambda own: estimate.loglog_slope(own["lag"], own["mean_square"]) / 2)


def draw_paths(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """A path for each Hurst index, some more behind it, and the standard deviation t^H of all."""
    rows, displacements = log["paths"], log["displacements"]
    figure, axes = panels(1, len(recipe.params.hursts), sharey=True, panel=(3.7, 3.2))
    for ax, hurst in zip(axes, recipe.params.hursts, strict=True):
        own = rows[rows["hurst"] == hurst]
        for index, (_, path) in enumerate(own.groupby("seed", sort=True)):
            if index > FURTHER:
                break
            first = index == 0
            ax.plot(
                path["step"] / path["step"].max(),
                path["position"],
                color=BLUE if first else FAINT,
                linewidth=1.0 if first else 0.5,
                zorder=3 if first else 2,
                label="a path" if first else "further seeds",
            )
        time = np.linspace(0, 1, 200)
        for sign in (1, -1):
            ax.plot(time, sign * time**hurst, "--", color=BLACK, linewidth=1.1, label=r"$\pm$ standard deviation $t^H$")
        found = measure_roughness(displacements[displacements["hurst"] == hurst])
        half = f" $\\pm$ {(found.high - found.low) / 2:.4f}" if found.finite else ""
        ax.set_title(f"$H = {hurst:g}$, measured {found.value:.4f}{half}")
        ax.set_xlabel("time $t$")
    axes[0].set_ylabel("$B(t)$")
    return finish(figure, recipe)
