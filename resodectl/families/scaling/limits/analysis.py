"""The order at which deep residual networks approach their limits, what the Ito drift is worth, and the figure of both.

Cohen, Cont, Rossier & Xu 2021 (arXiv 2105.12245) and Cont, Rossier & Xu 2022 (arXiv 2212.08199).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims import estimate
from resodectl.claims.estimate import Estimate
from resodectl.drawing.axes import depth_axis, note, reference_slope, spread
from resodectl.drawing.colours import BLACK, BLUE, BROWN, CYCLE, GREEN, MAGENTA, ORANGE, PURPLE, SKY, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.scaling.limits.spec import Params

Error = Literal["state", "jacobian", "gradient"]
Look = tuple[str, str, str]  # label, colour, line
CASE = ("limit", "alpha", "beta", "activation", "noise", "bias_noise", "gain")

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
    ("softplus", 0.5): (r"softplus, drift $\frac{1}{2}\sigma''(0)\,Q$", BROWN, "-"),
    ("tanh", 0.0): (r"tanh, no drift", MAGENTA, "-"),
    ("exp", 0.0): (r"$e^z - 1$, no drift (wrong)", VERMILLION, ":"),
    ("exp", 1.0): (r"$e^z - 1$, drift $\sigma''(0)\,Q$ (wrong)", VERMILLION, "--"),
    ("relu", 0.0): ("ReLU (no limit)", ORANGE, ":"),
    ("softplus", 0.0): ("softplus, no drift (wrong)", BROWN, ":"),
    ("softplus", 1.0): (r"softplus, drift $\sigma''(0)\,Q$ (wrong)", BROWN, "--"),
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
        for own, look in _ode_curves(rows[rows["limit"] != "ito-sde"]):
            _curve(above, own, error, look)
        for own, look in _sde_curves(rows[rows["limit"] == "ito-sde"]):
            _curve(below, own, error, look)
        ode, sde = rows[rows["limit"] != "ito-sde"], rows[rows["limit"] == "ito-sde"]
        _reference(above, ode[(ode["noise"] == 0) & (ode["limit"] == "neural-ode")], error, -1, "$-1$")
        _reference(below, sde[(sde["drift"] == 0.5) & (sde["activation"] == "exp")], error, -0.5, r"$-\frac{1}{2}$")
        above.set_title(ERRORS[error])
        below.set_title(f"{ERRORS[error].split(',')[0]}, against the SDE")
        for ax, own in ((above, ode), (below, sde)):
            ax.set_yscale("log")
            if len(own):
                depth_axis(ax, own["depth"], "depth $L$")
        _window(below, sde, error)
    axes[0].set_ylabel("error against an ODE")
    axes[len(ERRORS)].set_ylabel("RMS error against an Ito SDE")
    return finish(figure, recipe)


def _ode_curves(rows: pd.DataFrame) -> list[tuple[pd.DataFrame, Look]]:
    """The rows of each case with an ODE for its limit, and how they are drawn."""

    def key(case: pd.Series) -> tuple[str, float, str, bool]:
        return case["limit"], case["alpha"], case["activation"], max(case["noise"], case["bias_noise"]) > 0

    return _with_looks(rows, CASE, key, ODE_CURVES)


def _sde_curves(rows: pd.DataFrame) -> list[tuple[pd.DataFrame, Look]]:
    """The same for the SDE; of cases without a look of their own, with the right drift alone."""

    def key(case: pd.Series) -> tuple[str, float]:
        return case["activation"], case["drift"]

    straight = rows["activation"].isin(["tanh", "relu"])  # no curvature at 0: all drifts are the same
    seen = rows[(rows["drift"] == 0) | ~straight]
    return _with_looks(seen, (*CASE, "drift"), key, SDE_CURVES)


def _with_looks(
    rows: pd.DataFrame, columns: Sequence[str], key: Callable[[pd.Series], Any], looks: Mapping[Any, Look]
) -> list[tuple[pd.DataFrame, Look]]:
    """The rows of each case, in the order of the looks; cases that share a look, or have none, are named in full."""
    groups = [own for _, own in rows.groupby(list(columns), sort=False)]
    keys = [key(own.iloc[0]) for own in groups]
    known = [
        (own, looks[name]) for own, name in zip(groups, keys, strict=True) if keys.count(name) == 1 and name in looks
    ]
    order = list(looks.values())
    known.sort(key=lambda drawn: order.index(drawn[1]))
    rest = [own for own, name in zip(groups, keys, strict=True) if keys.count(name) > 1 or name not in looks]
    return known + [
        (own, (_name(own.iloc[0], columns), CYCLE[place % len(CYCLE)], "-.")) for place, own in enumerate(rest)
    ]


def _name(case: pd.Series, columns: Sequence[str]) -> str:
    """All that tells a case from others, in words."""
    parts = [
        f"{column.replace('_', ' ')} {case[column]:g}" for column in columns if column not in ("limit", "activation")
    ]
    return f"{case['activation']}, {NAMES[case['limit']]}: {', '.join(parts)}"


def _curve(ax: Axes, rows: pd.DataFrame, error: Error, look: Look) -> None:
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
    smooth = rows[rows["activation"] != "relu"]
    values = smooth[f"{error}_error"]
    values = values[np.isfinite(values) & (values > 0)]
    if len(values):
        ax.set_ylim(values.min() / 4, values.max() * 12)
        if len(smooth) < len(rows):
            note(ax, "ReLU: off the scale above", "upper right")
