"""What gradient descent does to the weights of linear residual networks, against depth, layer and training time.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612), section 3 and Figure 2.
"""

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
STOP = 1e-5  # the loss at which the paper's training stops
JUMP = r"$N \max_n |A_{n+1} - A_n|$"
TITLES = (
    "weights of depth $N$ and $2N$",
    "product of all layers",
    "all depths, scaled, in training",
    "jumps from layer to layer",
    "one weight through the layers",
    "what the flow conserves",
)
DOUBLING = r"$\sup_s |A^N(s) - A^{2N}(s)|$"


def measure_steps_to_loss(rows: pd.DataFrame, *, below: float) -> Estimate:
    """The first logged step whose loss is below a level; one more than the last step if there is none."""

    def of_run(own: pd.DataFrame) -> float:
        reached = own.loc[own["loss"] < below, "step"]
        return float(reached.min() if len(reached) else own["step"].max() + 1)

    return _over_inits(rows, of_run)


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
    """Entries of A_n against the layer n at several steps, as in Figure 2, and what makes them smooth."""
    layers, training, jumps = (_main(log[kind], recipe) for kind in ("layers", "training", "jumps"))
    layers = first_seed(layers)
    entries = sorted(set(zip(layers["row"], layers["column"], strict=True)))
    figure, axes = panels(2, len(entries), panel=(3.5, 3.0))
    for ax, (row, column) in zip(axes, entries, strict=False):
        own = layers[(layers["row"] == row) & (layers["column"] == column)]
        _entry(ax, own[own["init"] == "zero"])
        ax.set_title(f"entry ({row + 1}, {column + 1}), zero start")
    axes[0].set_ylabel("weight")
    below = axes[len(entries) :]
    rough = layers[(layers["init"] == "rough") & (layers["row"] == 0) & (layers["column"] == 0)]
    _entry(below[0], rough)
    below[0].set_title("entry (1, 1), rough start")
    below[0].set_ylabel("weight")
    _losses(below[1], training)
    _jumps(below[2], jumps[jumps["part"] == "weights"], "-")
    _distances(below[3], training, "doubling_distance", -1)
    below[3].set_ylabel(f"{DOUBLING}, worst step")
    for ax, title in zip(below[1:], ("training, zero start", TITLES[3], TITLES[0]), strict=True):
        ax.set_title(title)
    return finish(figure, recipe)


def draw_regularization(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Convergence in depth, uniform in training time; what stays smooth, what stays rough, and what is conserved."""
    training, jumps = (_main(log[kind], recipe) for kind in ("training", "jumps"))
    figure, axes = panels(2, 3, panel=(4.0, 3.2))
    _distances(axes[0], training, "doubling_distance", -1)
    axes[0].set_ylabel(f"{DOUBLING}, worst step")
    _distances(axes[1], training, "output_distance", -1)
    axes[1].set_ylabel(f"$|X^N - X^{{{recipe.params.reference}}}|$, worst step")
    _uniformity(axes[2], training[training["init"] == "smooth"])
    for part, line in (("weights", "-"), ("change", "--")):
        _jumps(axes[3], jumps[jumps["part"] == part], line)
    note(axes[3], "dashed: what training changed", "upper left")
    layers = _main(log["layers"], recipe)
    _through_depth(axes[4], first_seed(layers))
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


def _losses(ax: Axes, rows: pd.DataFrame) -> None:
    """Training curves from zero weights, of the shallowest and the deepest network."""
    own = rows[rows["init"] == "zero"]
    for depth, line in ((own["depth"].min(), ":"), (own["depth"].max(), "-")):
        one = first_seed(own[own["depth"] == depth])
        ax.plot(one["step"], one["loss"], line, color=BLACK, label=f"loss, $N = {depth}$")
    ax.set_yscale("log")
    ax.set_xlim(0, 60)
    ax.set_ylim(1e-8, 10)
    ax.set_xlabel("step")
    ax.set_ylabel("loss")
    level(ax, STOP, f"loss {STOP:g}")


def _jumps(ax: Axes, rows: pd.DataFrame, line: str) -> None:
    """N times the largest jump after training against depth, for every kind of initial weights."""
    end = last(rows, "step")
    for init, own in in_order(end.assign(scaled=end["jump"] * end["depth"]), "init", INITS):
        name, colour = INITS[init]
        spread(ax, own, "depth", "scaled", colour=colour, line=line, label=name if line == "-" else None)
    ax.set_yscale("log")
    depth_axis(ax, rows["depth"])
    ax.set_ylabel(f"{JUMP}, last step")


def _distances(ax: Axes, rows: pd.DataFrame, of: Distance, order: int) -> None:
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
        reference_slope(ax, (first, last), order, (first, height / 3), f"${order}$")


def _uniformity(ax: Axes, rows: pd.DataFrame) -> None:
    """N times the distance to twice the depth against the step: one curve for all depths."""
    depths = sorted(rows["depth"].unique())
    for depth, colour in zip(depths, sequence(len(depths)), strict=True):
        own = rows[rows["depth"] == depth]
        curve = (own["doubling_distance"] * depth).groupby(own["step"]).median()
        ax.plot(curve.index + 1, curve, color=colour, label=f"$N = {depth}$")
    ax.set_xscale("log")
    ax.set_ylim(0)
    ax.set_xlabel("step + 1")
    ax.set_ylabel(f"$N$ {DOUBLING}, smooth")


def _through_depth(ax: Axes, rows: pd.DataFrame) -> None:
    """One entry through the layers before (thin) and after training."""
    for init, own in in_order(rows[(rows["row"] == 0) & (rows["column"] == 0)], "init", INITS):
        for step, width in ((own["step"].min(), 0.7), (own["step"].max(), 1.8)):
            one = own[own["step"] == step].sort_values("layer")
            ax.plot(one["layer"] / len(one), one["weight"], color=INITS[init][1], linewidth=width)
    ax.set_xlabel("$s = n/N$")
    ax.set_ylabel("entry (1, 1) of $A_n$")
    note(ax, "thin: before training", "lower left")


def _balance(ax: Axes, rows: pd.DataFrame, recipe: Drawn[Params]) -> None:
    """The largest drift of the balance against the learning rate."""
    own = rows[(rows["init"] == "zero") & (rows["lr"] != recipe.params.lr)]
    drift = own.groupby("lr")["imbalance"].max()
    ax.plot(drift.index, drift, "o-", color=GREEN, label="drift of the balance")
    ax.set_yscale("log")
    if len(drift) > 1:
        ends = (float(drift.index[0]), float(drift.index[-1]))
        reference_slope(ax, ends, 1, (ends[0], float(drift.iloc[0]) / 2), "$1$")
    log_axis_at(ax, drift.index, r"learning rate $\eta$")
    ax.set_ylabel(r"$N \max_n |D_n - D_n(0)|$, worst step")
