"""How near each optimiser comes to its exact max-margin point, and the figure that shows it.

Wang, Meng, Chen & Liu 2021 (arXiv 2012.06244).
"""

from collections.abc import Mapping
from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, per_seed
from resodectl.drawing.axes import dots, level, spread
from resodectl.drawing.colours import BLACK, BLUE, GREY, ORANGE, PURPLE, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import in_order, last
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.margin.late_phase.spec import Params

NAMES = {
    "gd": "GD",
    "adagrad": "AdaGrad",
    "scalar-adagrad": "AdaGrad, one step size for all coordinates",
    "rmsprop": "RMSProp",
    "adam": "Adam without momentum",
    "sign": "steps along the signs",
}
COLOURS = {
    "gd": ORANGE,
    "adagrad": VERMILLION,
    "scalar-adagrad": GREY,
    "rmsprop": BLUE,
    "adam": BLACK,
    "sign": PURPLE,
}
SHORT = {"adam": "Adam w/o\nmomentum", "sign": "signs", "scalar-adagrad": "AdaGrad,\none step"}
DASHED = ("adam", "scalar-adagrad")  # beneath which other curves may lie
RUNS = ["optimiser", "trial"]


def measure_worst_ratio(rows: pd.DataFrame, *, margin: Literal["ratio", "surrogate_ratio"] = "ratio") -> Estimate:
    """The smallest margin, or surrogate margin, of the runs of a seed, in units of the largest possible one."""
    return per_seed(rows, lambda of_seed: of_seed[margin].min(skipna=False))


def measure_worst_miss(rows: pd.DataFrame) -> Estimate:
    """The largest angle to the exact max-margin point over the length of the next step, over runs and steps of a seed.

    A run at its limit goes to and fro across it, so that it misses it by up to a step, however many steps it took.
    """
    return per_seed(rows, lambda of_seed: (of_seed["degrees"] / of_seed["length"]).max(skipna=False))


def measure_worst_angle_of_converged(rows: pd.DataFrame, *, converged: float) -> Estimate:
    """The largest angle to the ordinary max-margin point of the runs of a seed that are at their own one.

    The rows are of both weightings; a run counts if its angle to its own point, that of weighting 1, is at most
    `converged` degrees. NaN without such a run.
    """

    def of_seed(own: pd.DataFrame) -> float:
        table = own.pivot(index=RUNS, columns="weighting", values="degrees")
        return float(table.loc[table[1.0] <= converged, 0.0].max(skipna=False))

    return per_seed(rows, of_seed)


def draw_convergence(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Angles to the ordinary and to the own max-margin point against the scaled steps, and the margins in the end."""
    rows = log["runs"]
    late = rows[rows["step"] > 0]
    figure, axes = panels(1, 3, panel=(4.7, 3.7))
    _angles(axes[0], late[late["weighting"] == 0], recipe)
    axes[0].set_title("to the ordinary optimum")
    own = late[(late["weighting"] == 1) & (late["optimiser"] != "sign")]
    _angles(axes[1], own, recipe)
    axes[1].set_title("to the optimum weighted with the run's own $h$")
    axes[1].set_ylim(axes[0].get_ylim())
    ended = last(rows[rows["weighting"] == 0], "step")
    _margins(axes[2], ended, recipe)
    return finish(figure, recipe)


def _angles(ax: Axes, rows: pd.DataFrame, recipe: Drawn[Params]) -> None:
    for optimiser, own in in_order(rows, "optimiser", recipe.params.optimisers):
        spread(ax, own, "step", "degrees", colour=COLOURS[optimiser], label=NAMES[optimiser], marker="",
               line="--" if optimiser in DASHED else "-")  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="scaled steps", ylabel="angle (degrees)")


def _margins(ax: Axes, rows: pd.DataFrame, recipe: Drawn[Params]) -> None:
    """Margins in units of the largest possible ones, at the end."""
    shown = in_order(rows, "optimiser", recipe.params.optimisers)
    for place, (optimiser, own) in enumerate(shown):
        dots(ax, place, own["ratio"], colour=COLOURS[optimiser], width=0.7)
    level(ax, 1.0, "largest margin with the same sign of $v$", BLACK)
    ax.set_xticks(range(len(shown)), [SHORT.get(name, NAMES[name]) for name, _ in shown], fontsize=7)
    ax.set(ylabel="margin / largest margin", title=f"after {rows['step'].max()} scaled steps")
