"""The order at which deep residual networks approach their limits, what the Ito drift is worth, and the figure of both.

Cohen, Cont, Rossier & Xu 2021 (arXiv 2105.12245) and Cont, Rossier & Xu 2022 (arXiv 2212.08199).
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims import estimate
from resodectl.claims.estimate import Estimate
from resodectl.drawing.axes import depth_axis, note, reference_slope, spread
from resodectl.drawing.colours import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.scaling.limits.spec import Params

Error = Literal["state", "jacobian", "gradient"]

NAMES = {"neural-ode": "neural ODE", "linear-ode": "linear ODE", "ito-sde": "Ito SDE"}
ERRORS: dict[Error, str] = {
    "state": r"state, $|h - H|$",
    "jacobian": r"Jacobian, $|\partial h/\partial x - J|$",
    "gradient": r"loss gradient, $|\nabla_{h_t}\ell - p_t|$",
}
ODE_CURVES = {  # limit, alpha, activation, noise or not: label, colour, line
    ("neural-ode", 1.0, "tanh", False): (r"$\alpha = 1$, neural ODE", BLACK, "-"),
    ("linear-ode", 0.25, "tanh", False): (r"$\alpha = 1/4$, linear ODE", SKY, "-"),
    ("linear-ode", 0.5, "tanh", False): (r"$\alpha = 1/2$, linear ODE", BLUE, "-"),
    ("linear-ode", 0.75, "tanh", False): (r"$\alpha = 3/4$, linear ODE", GREEN, "-"),
    ("linear-ode", 0.5, "tanh", True): (r"$\alpha = 1/2$ with noise, linear ODE", PURPLE, "-"),
    ("linear-ode", 1.0, "tanh", False): (r"$\alpha = 1$, linear ODE (wrong)", BLACK, ":"),
    ("linear-ode", 0.5, "relu", False): (r"$\alpha = 1/2$, ReLU, linear ODE (wrong)", ORANGE, ":"),
}
SDE_CURVES = {  # activation, drift: label, colour, line
    ("exp", 0.5): (r"$e^z - 1$, drift $\frac{1}{2}\sigma''(0)\,Q$", VERMILLION, "-"),
    ("tanh", 0.0): (r"tanh, no drift", BLUE, "-"),
    ("exp", 0.0): (r"$e^z - 1$, no drift (wrong)", VERMILLION, ":"),
    ("exp", 1.0): (r"$e^z - 1$, drift $\sigma''(0)\,Q$ (wrong)", VERMILLION, "--"),
    ("relu", 0.0): ("ReLU (no limit)", ORANGE, ":"),
}


def measure_loglog_slope(rows: pd.DataFrame, *, of: Error) -> Estimate:
    """The order in 1/L of an error: its slope against the depth, a seed with all its paths at a time."""
    return estimate.per_seed(rows, lambda own: estimate.loglog_slope(own["depth"], own[f"{of}_error"]))


def measure_drift_gain(rows: pd.DataFrame, *, of: Error) -> Estimate:
    """How many times larger the error of the deepest network is against the limit without drift than with the drift."""

    def of_seed(own: pd.DataFrame) -> float:
        errors = own.set_index("drift")[f"{of}_error"]
        return float(errors[0.0] / errors[0.5])

    return estimate.per_seed(rows[rows["depth"] == rows["depth"].max()], of_seed)


def draw_limits(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Errors of state, Jacobian and loss gradient against depth: the ODE limits above, the SDE limit below."""
    rows = log["errors"]
    figure, axes = panels(2, len(ERRORS), panel=(4.2, 3.3))
    for column, error in enumerate(ERRORS):
        above, below = axes[column], axes[column + len(ERRORS)]
        for (limit, alpha, activation, noisy), look in ODE_CURVES.items():
            own = rows[(rows["limit"] == limit) & (rows["alpha"] == alpha) & (rows["activation"] == activation)]
            _curve(above, own[(own["noise"] > 0) == noisy], error, look)
        for (activation, drift), look in SDE_CURVES.items():
            own = rows[(rows["limit"] == "ito-sde") & (rows["activation"] == activation) & (rows["drift"] == drift)]
            _curve(below, own, error, look)
        ode, sde = rows[rows["limit"] != "ito-sde"], rows[rows["limit"] == "ito-sde"]
        _reference(above, ode[(ode["noise"] == 0) & (ode["limit"] == "neural-ode")], error, -1, "$-1$")
        _reference(below, sde[(sde["drift"] == 0.5) & (sde["activation"] == "exp")], error, -0.5, r"$-\frac{1}{2}$")
        above.set_title(ERRORS[error])
        for ax, own in ((above, ode), (below, sde)):
            ax.set_yscale("log")
            if len(own):
                depth_axis(ax, own["depth"], "depth $L$")
        _window(below, sde[sde["activation"] != "relu"], error)
    axes[0].set_ylabel("error against an ODE")
    axes[len(ERRORS)].set_ylabel("RMS error against an Ito SDE")
    return finish(figure, recipe)


def _curve(ax: Axes, rows: pd.DataFrame, error: Error, look: tuple[str, str, str]) -> None:
    if len(rows):
        label, colour, line = look
        spread(ax, rows, "depth", f"{error}_error", colour=colour, label=label, line=line, points=False)


def _reference(ax: Axes, rows: pd.DataFrame, error: Error, slope: float, label: str) -> None:
    """A power law below the curve of some rows."""
    if rows["depth"].nunique() > 1:
        first, last = float(rows["depth"].min()), float(rows["depth"].max())
        height = float(rows.loc[rows["depth"] == first, f"{error}_error"].median()) / 3
        if np.isfinite(height):
            reference_slope(ax, (first, last), slope, (first, height), label)


def _window(ax: Axes, rows: pd.DataFrame, error: Error) -> None:
    """Scale the axis to the curves that stay finite; ReLU networks leave it."""
    values = rows[f"{error}_error"]
    values = values[np.isfinite(values)]
    if len(values):
        ax.set_ylim(values.min() / 4, values.max() * 12)
        note(ax, "ReLU: off the scale above", "upper right")
