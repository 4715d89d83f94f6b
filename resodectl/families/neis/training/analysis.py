"""Training curves of flows, with the period in which samples are carried uphill, and what fresh samples tell.

Cao & Vanden-Eijnden 2022 (arXiv 2206.09908).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, over_units
from resodectl.drawing.colours import BLACK, CYCLE, GREY
from resodectl.drawing.finish import finish
from resodectl.drawing.legend import legend_inside
from resodectl.drawing.rows import last
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.neis.flow_settings import Flow
from resodectl.families.neis.training.spec import Params

RUN = ["ansatz", "units", "seed"]  # what tells independent trainings apart
LARGEST = 2.0  # a mean that has exploded counts as this, so that the mean over runs stays finite
WIDEST = 3.0  # log10 of a variance that has exploded
TRUE = 0.15  # relative error of the mean up to which a gain counts
ERROR, VARIANCE = r"error of the mean $|\bar A/R-1|$", r"relative variance $\mathrm{Var}(A)/R^2$"


def measure_mean(rows: pd.DataFrame) -> Estimate:
    """The mean of A / R, averaged over the rows of a run; mean over runs, where more than 2 counts as 2."""
    return over_units(rows.groupby(RUN)["relative_mean"].mean().clip(upper=LARGEST))


def measure_mean_error(rows: pd.DataFrame) -> Estimate:
    """The distance of the mean of A / R from 1, of a run; mean over runs, where more than 1 counts as 1."""
    return over_units((rows.groupby(RUN)["relative_mean"].mean() - 1).abs().clip(upper=LARGEST - 1))


def measure_log_variance(rows: pd.DataFrame) -> Estimate:
    """log10 of Var(A) / R^2, the median over the rows of a run; mean over runs, where more than 3 counts as 3."""
    return over_units(np.log10(rows.groupby(RUN)["relative_variance"].median()).clip(upper=WIDEST))


def measure_log_gain(rows: pd.DataFrame) -> Estimate:
    """log10 of the variance of plain importance sampling over that of the flow, 0 of a false mean; mean over runs.

    A flow that leaves out modes has a small variance, about a false mean: a run gains nothing if its mean is more than
    15 % away from R: the lightest mode of example 1 holds 20 % of it, each of example 2 holds 25 %.
    """
    gain = np.log10(rows["vanilla_variance"] / rows["relative_variance"])
    return over_units(np.where((rows["relative_mean"] - 1).abs() <= TRUE, gain, 0.0))


def measure_log_joint_gap(rows: pd.DataFrame) -> Estimate:
    """log10 of the distance over R of the means by path and by joint ODE, on the same samples; mean over runs."""
    return over_units(np.log10(rows["joint_gap"]))


def measure_weight(rows: pd.DataFrame, *, name: str) -> Estimate:
    """A weight of the funnel's field, averaged over the rows of a run; mean over runs.

    Args:
        name: beta or alpha.
    """
    return over_units(rows.groupby(RUN)[name].mean())


def draw_curves(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """The variance of the weights against the training step, a panel for each flow and a line for each seed."""
    flows = recipe.params.flows
    kinds = list(dict.fromkeys(of.velocity.kind for of in flows))
    grid = [[of for of in flows if of.velocity.kind == kind] for kind in kinds]  # a list for each column
    if len(grid) == 1:
        grid = [[of] for of in flows]
    rows = max(map(len, grid))
    figure, axes = panels(rows, len(grid), panel=(4.6, 3.0), sharex=True, sharey=True)
    for column, shown in enumerate(grid):
        for row, flow in enumerate(shown):
            ax = axes[row * len(grid) + column]
            _curves(ax, _of(log["steps"], flow), "relative_variance", flow)
            _fresh(ax, _of(log["fresh"], flow), "relative_variance")
            ax.set_title(_name(flow))
            ax.set_xlabel("training step" if row == len(shown) - 1 else "")
            ax.set_ylabel("" if column else VARIANCE)
    axes[0].set_yscale("log")
    return finish(figure, recipe)


def draw_funnel(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Error of the mean, variance and, of the funnel's own field, its two weights, against the training step."""
    flows = recipe.params.flows
    figure, axes = panels(len(flows), 3, panel=(4.0, 2.9))
    for flow, own in zip(flows, np.reshape(np.array(axes), (-1, 3)), strict=True):
        steps, fresh = (_of(log[kind], flow) for kind in ("steps", "fresh"))
        for ax, column, label in zip(own, ("error", "relative_variance"), (ERROR, VARIANCE), strict=False):
            _curves(ax, steps.assign(error=(steps["relative_mean"] - 1).abs()), column, flow)
            _fresh(ax, fresh.assign(error=(fresh["relative_mean"] - 1).abs()), column)
            ax.set_yscale("log")
            ax.set_ylabel(label)
            ax.set_title(_name(flow))
            ax.set_xlabel("training step")
        if flow.velocity.kind != "funnel":
            own[2].remove()
            continue
        for name, line in (("beta", "-"), ("alpha", "--")):
            for colour, (_, of_seed) in zip(CYCLE * len(steps), steps.groupby("seed"), strict=False):
                own[2].plot(of_seed["step"], of_seed[name], line, color=colour)
            own[2].plot([], [], line, color=GREY, label=rf"$\{name}$")
        legend_inside(own[2])
        own[2].set_title(_name(flow))
        own[2].set_xlabel("training step")
        own[2].set_ylabel(r"weights $\beta$, $\alpha$ of the field")
    return finish(figure, recipe)


def _of(rows: pd.DataFrame, flow: Flow) -> pd.DataFrame:
    return rows[(rows["ansatz"] == flow.velocity.kind) & (rows["units"] == flow.units)]


def _name(flow: Flow) -> str:
    if flow.units:
        return f"{flow.velocity.kind} field, $m={flow.units}$"
    return {"linear": "linear field $Wx+c$", "funnel": r"field $-(\beta,\alpha x_2,\ldots,\alpha x_d)$"}[
        flow.velocity.kind
    ]


def _curves(ax: Axes, rows: pd.DataFrame, column: str, flow: Flow) -> None:
    """A line for each seed, the assisted period in grey, and plain importance sampling where its variance is known."""
    for colour, (seed, of_seed) in zip(CYCLE * len(rows), rows.groupby("seed"), strict=False):
        ax.plot(of_seed["step"], of_seed[column], color=colour, label=f"seed {seed}", linewidth=1.3, zorder=3)
    if flow.assisted:
        end = flow.assisted_until * flow.training_steps
        ax.axvspan(1, end, color="0.88", label="assisted", zorder=0, linewidth=0)
    vanilla = rows["vanilla_variance"].iloc[0]
    if column == "relative_variance" and np.isfinite(vanilla):
        ax.axhline(vanilla, color=BLACK, linewidth=1.4, label="plain importance sampling", zorder=2)


def _fresh(ax: Axes, fresh: pd.DataFrame, column: str) -> None:
    """The value on fresh samples after training, a ring for each seed."""
    end = last(fresh[fresh["ablation"] == "none"], "step")
    for colour, (_, of_seed) in zip(CYCLE * len(end), end.groupby("seed"), strict=False):
        ax.plot(of_seed["step"], of_seed[column], "o", color=colour, markeredgecolor=BLACK, markersize=5, zorder=4)
    ax.plot([], [], "o", color="white", markeredgecolor=BLACK, markersize=5, label="trained, on fresh samples")
