"""What gradient descent does to the weights of linear residual networks, against depth, layer and training time.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612), section 3 and Figure 2.
"""

import math
from collections.abc import Callable, Mapping
from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims import estimate
from resodectl.claims.estimate import Estimate
from resodectl.drawing.axes import depth_axis, level, log_axis_at, note, reference_slope, spread
from resodectl.drawing.colours import BLACK, BLUE, GREEN, VERMILLION, sequence
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import first_seed, in_order, last
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.scaling.linear_residuals.spec import Params

Distance = Literal["doubling_distance", "output_distance"]

INITS = {
    "zero": ("zero initial weights", BLACK),
    "smooth": ("smooth initial weights", BLUE),
    "rough": ("rough initial weights", VERMILLION),
}
ROUNDING = 1e-32  # the square of a rounding error
CORNER = 2  # rows and columns of a matrix whose entries are drawn
JUMP = r"$N \max_n |A_{n+1} - A_n|_F$"
TITLES = (
    "weights of depth $N$ and $2N$",
    "product of all layers",
    "all depths, scaled, in training",
    "jumps from layer to layer",
    "one weight through the layers",
    "what the flow conserves",
)
DOUBLING = r"$\sup_s |A^N(s) - A^{2N}(s)|_F$"
WORST = "at the worst step"


def measure_steps_to_loss(rows: pd.DataFrame) -> Estimate:
    """The first step after which the loss is below a level, of the slowest network; steps + 1 if it never is."""
    return _over_inits(rows, lambda own: own["passage"].max())


def measure_log10_loss(rows: pd.DataFrame) -> Estimate:
    """log10 of the loss at the last step, of the depth where it is largest; of a loss of zero, that of the rounding."""

    def of_run(own: pd.DataFrame) -> float:
        return math.log10(max(own["loss"].max(skipna=False), ROUNDING))

    return _over_inits(last(rows, "step"), of_run)


def measure_least_change(rows: pd.DataFrame) -> Estimate:
    """How far training has moved the layer that it moved most, |A_n - A_n(0)|_F, at the depth where that is least."""
    return _over_inits(last(rows, "step"), lambda own: own["change"].min(skipna=False))


def measure_scaled_jump(rows: pd.DataFrame) -> Estimate:
    """N times the largest jump between neighbouring layers at the last step, of the deepest network."""
    return _over_inits(last(last(rows, "step"), "depth"), lambda own: float((own["jump"] * own["depth"]).iloc[0]))


def measure_loglog_slope(rows: pd.DataFrame, *, of: Distance) -> Estimate:
    """The order in 1/N of a distance, taken at its worst over the steps."""

    def of_run(own: pd.DataFrame) -> float:
        worst = own.groupby("depth")[of].agg(lambda values: values.max(skipna=False))
        return estimate.loglog_slope(worst.index, worst)

    return _over_inits(rows, of_run)


def measure_jump_growth(rows: pd.DataFrame) -> Estimate:
    """N times the largest jump between neighbouring layers, at the last step: the deepest network over the shallowest.

    1 for weights, or changes of weights, that are Lipschitz in depth; the ratio of the depths where jumps stay.
    """

    def of_run(own: pd.DataFrame) -> float:
        scaled = (own["jump"] * own["depth"]).groupby(own["depth"]).first()
        return float(scaled.iloc[-1] / scaled.iloc[0])

    return _over_inits(last(rows, "step"), of_run)


def measure_least_jump(rows: pd.DataFrame) -> Estimate:
    """The largest jump between neighbouring layers at the last step, in the network where it is least."""
    return _over_inits(last(rows, "step"), lambda own: own["jump"].min(skipna=False))


def measure_balance_slope(rows: pd.DataFrame) -> Estimate:
    """The order in the learning rate of the largest drift of the balance of neighbouring layers."""

    def of_run(own: pd.DataFrame) -> float:
        drift = own.groupby("lr")["imbalance"].max()
        return estimate.loglog_slope(drift.index, drift)

    return _over_inits(rows, of_run)


def _over_inits(rows: pd.DataFrame, statistic: Callable[[pd.DataFrame], float]) -> Estimate:
    """Over the seeds of the initial weights; nothing is random, so the value is exact, where they are zero."""
    if (rows["init"] == "zero").all():
        return estimate.exact(statistic(first_seed(rows)))
    return estimate.per_seed(rows, statistic)


def draw_weights(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Entries of A_n against the layer n at several steps, as in Figure 2, and what makes them smooth.

    A row of panels for each depth that is shown, with the entries of the upper left corner of the matrices; in the row
    below the same from other initial weights, if the recipe has any, the training, and both against depth.
    """
    layers, training, jumps = (_main(log[kind], recipe) for kind in ("layers", "training", "jumps"))
    layers = first_seed(layers[(layers["row"] < CORNER) & (layers["column"] < CORNER)])
    shown, (start, *others) = recipe.params.shown, recipe.params.inits
    figure, axes = panels(len(shown) + 1, CORNER**2, panel=(3.5, 3.1))
    for line, depth in enumerate(shown):
        place = axes[line * CORNER**2 : (line + 1) * CORNER**2]
        own = layers[(layers["init"] == start) & (layers["depth"] == depth)]
        entries = sorted(set(zip(own["row"], own["column"], strict=True)))
        for ax, (row, column) in zip(place, entries, strict=False):
            _entry(ax, own[(own["row"] == row) & (own["column"] == column)])
            ax.set_title(f"entry ({row + 1}, {column + 1}), {start} start")
        for ax in place[len(entries) :]:
            ax.remove()
        place[0].set_ylabel(f"weight, $N = {depth}$")
    other, *below = axes[-(CORNER**2) :]
    if others:
        corner = layers[(layers["row"] == 0) & (layers["column"] == 0) & (layers["depth"] == shown[0])]
        _entry(other, corner[corner["init"] == others[0]])
        other.set_title(f"entry (1, 1), {others[0]} start")
        other.set_ylabel(f"weight, $N = {shown[0]}$")
    else:
        other.remove()
    _losses(below[0], training[training["init"] == start], recipe.params)
    _jumps(below[1], jumps[jumps["part"] == "weights"], "-")
    _distances(below[2], training, "doubling_distance")
    below[2].set_ylabel(f"{DOUBLING},\n{WORST}")
    for ax, title in zip(below, (f"training, {start} start", TITLES[3], TITLES[0]), strict=True):
        ax.set_title(title)
    return finish(figure, recipe)


def draw_regularization(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Convergence in depth, uniform in training time; what stays smooth, what stays rough, and what is conserved."""
    training, jumps = (_main(log[kind], recipe) for kind in ("training", "jumps"))
    figure, axes = panels(2, 3, panel=(4.0, 3.2))
    _distances(axes[0], training, "doubling_distance")
    axes[0].set_ylabel(f"{DOUBLING},\n{WORST}")
    _distances(axes[1], training, "output_distance")
    axes[1].set_ylabel(f"$|X^N - X^{{{recipe.params.reference}}}|_F$, {WORST}")
    _uniformity(axes[2], training)
    for part, line in (("weights", "-"), ("change", "--")):
        _jumps(axes[3], jumps[jumps["part"] == part], line)
    note(axes[3], "dashed: of the change in training", "upper left")
    _through_depth(axes[4], first_seed(_main(log["layers"], recipe)))
    _balance(axes[5], log["training"], recipe)
    for ax, title in zip(axes, TITLES, strict=True):
        ax.set_title(title)
    return finish(figure, recipe)


def _main(rows: pd.DataFrame, recipe: Drawn[Params]) -> pd.DataFrame:
    """The rows without the further runs of the balance."""
    return rows[rows["lr"] == recipe.params.lr]


def _entry(ax: Axes, rows: pd.DataFrame) -> None:
    """One entry of A_n against n, a curve for every step."""
    steps = sorted(rows["step"].unique())
    for step, colour in zip(steps, sequence(len(steps)), strict=True):
        own = rows[rows["step"] == step].sort_values("layer")
        ax.plot(own["layer"], own["weight"], color=colour, label=f"step {step}", linewidth=1.4)
    ax.set_xlabel("layer $n$")


def _losses(ax: Axes, rows: pd.DataFrame, params: Params) -> None:
    """Training curves from one kind of weights, of the shallowest, the shown and the deepest network."""
    depths = rows["depth"].unique()
    drawn = dict.fromkeys([min(depths), *sorted(set(depths) & set(params.shown)), max(depths)])
    for depth, line in zip(drawn, (":", *["-"] * (len(drawn) - 2), "--"), strict=False):
        one = first_seed(rows[rows["depth"] == depth])
        ax.plot(one["step"], one["loss"], line, color=BLACK, label=f"loss, $N = {depth}$")
    for loss in params.levels:
        level(ax, loss, f"loss {loss:g}")
    reached = rows.loc[rows["loss"] < min(params.levels), "step"]
    ax.set_xlim(0, min(2 * int(reached.min()), params.steps) if len(reached) else params.steps)
    ax.set_yscale("log")
    ax.set_ylim(bottom=min(params.levels) / 100)
    ax.set_xlabel("step")
    ax.set_ylabel("loss")


def _jumps(ax: Axes, rows: pd.DataFrame, line: str) -> None:
    """N times the largest jump after training against depth, for every kind of initial weights."""
    end = last(rows, "step")
    for init, own in in_order(end.assign(scaled=end["jump"] * end["depth"]), "init", INITS):
        name, colour = INITS[init]
        spread(ax, own, "depth", "scaled", colour=colour, line=line, label=name if line == "-" else None)
    ax.set_yscale("log")
    depth_axis(ax, rows["depth"])
    ax.set_ylabel(f"{JUMP},\nat the last step")


def _distances(ax: Axes, rows: pd.DataFrame, of: Distance) -> None:
    """The worst distance over the steps against depth, for every kind of initial weights."""
    worst = rows.groupby(["init", "depth", "seed"])[of].max().reset_index()
    for init, own in in_order(worst, "init", INITS):
        name, colour = INITS[init]
        spread(ax, own, "depth", of, colour=colour, label=name)
    ax.set_yscale("log")
    depth_axis(ax, rows["depth"])
    smooth = worst[worst["init"] != "rough"]
    if smooth["depth"].nunique() > 1:
        first, last = float(smooth["depth"].min()), float(smooth["depth"].max())
        height = float(smooth.loc[smooth["depth"] == first, of].median())
        reference_slope(ax, (first, last), -1, (first, height / 3), r"$\propto 1/N$")


def _uniformity(ax: Axes, rows: pd.DataFrame) -> None:
    """N times the distance to depth 2N against the step, from weights without jumps: one curve for all depths."""
    smooth = [init for init in INITS if init != "rough" and (rows["init"] == init).any()]
    own = rows[rows["init"].isin(smooth[-1:])]
    depths = sorted(own["depth"].unique())
    for depth, colour in zip(depths, sequence(len(depths)), strict=True):
        of_depth = own[own["depth"] == depth]
        curve = (of_depth["doubling_distance"] * depth).groupby(of_depth["step"]).median()
        ax.plot(curve.index + 1, curve, color=colour, label=f"$N = {depth}$")
    if depths:
        ax.set_xscale("log")
    ax.set_ylim(0)
    ax.set_xlabel("step + 1")
    ax.set_ylabel(f"$N$ {DOUBLING},\nmedian, {smooth[-1] if smooth else 'smooth'} start")


def _through_depth(ax: Axes, rows: pd.DataFrame) -> None:
    """One entry through the layers of each depth that is shown, before (thin) and after training."""
    for init, own in in_order(rows[(rows["row"] == 0) & (rows["column"] == 0)], "init", INITS):
        for (_, step), one in own[own["step"].isin({own["step"].min(), own["step"].max()})].groupby(["depth", "step"]):
            one = one.sort_values("layer")
            width = 0.7 if step == own["step"].min() else 1.8
            ax.plot(one["layer"] / len(one), one["weight"], color=INITS[init][1], linewidth=width)
    ax.set_xlabel("$s = n/N$")
    ax.set_ylabel("entry (1, 1) of $A_n$")
    note(ax, "thin: before training", "lower left")


def _balance(ax: Axes, rows: pd.DataFrame, recipe: Drawn[Params]) -> None:
    """The largest drift of the balance against the learning rate; nothing if there are no further runs."""
    own = rows[(rows["init"] == "zero") & (rows["lr"] != recipe.params.lr)]
    drift = own.groupby("lr")["imbalance"].max()
    ax.set_xlabel(r"learning rate $\eta$")
    ax.set_ylabel(r"$N \max_n |D_n - D_n(0)|_F$" + f",\n{WORST}")
    if drift.empty:
        return
    ax.plot(drift.index, drift, "o-", color=GREEN, label="drift of the balance")
    ax.set_yscale("log")
    if len(drift) > 1:
        ends = (float(drift.index[0]), float(drift.index[-1]))
        reference_slope(ax, ends, 1, (ends[0], float(drift.iloc[0]) / 2), r"$\propto \eta$")
    log_axis_at(ax, drift.index, r"learning rate $\eta$")
