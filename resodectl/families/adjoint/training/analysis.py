"""What the adjoint costs in training, in test error and in loss, and the figures that show it.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612), Figure 3.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from resodectl.claims.estimate import Estimate, over_units
from resodectl.drawing.axes import depth_axis, note, spread
from resodectl.drawing.colours import BLUE, CRIMSON, NAVY, PURPLE
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import in_order, last
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.adjoint.training.spec import Params

FLOOR, CAP = 1e-12, 1e3  # losses are clipped to these before their logarithm is taken; NaN counts as CAP
RUN = ["weights", "scheme", "depth"]  # what tells the networks of a recipe apart, the gradient aside
COLOURS = {"euler": NAVY, "heun": CRIMSON}  # dark blue and red, as in the paper
NAMES = {"euler": "ResNet", "heun": "HeunNet"}
OF_GRADIENT = {"backprop": PURPLE, "adjoint": BLUE}
LINES = {"backprop": "-", "adjoint": "--"}


def measure_error_gap(rows: pd.DataFrame) -> Estimate:
    """How much larger the best test error of the adjoint is than that of backpropagation, in per cent points."""
    return over_units(_gaps(best(rows), "test_error").groupby("seed").mean())


def measure_scheme_gap(rows: pd.DataFrame) -> Estimate:
    """How much more of test error the adjoint costs the Euler network than the Heun network, in per cent points."""
    of_scheme = _gaps(best(rows), "test_error").groupby(["seed", "scheme"]).mean().unstack("scheme")
    both = of_scheme.reindex(columns=["euler", "heun"])
    return over_units(both["euler"] - both["heun"])


def measure_loss_gap(rows: pd.DataFrame) -> Estimate:
    """log10 of the last epoch's training loss of the adjoint over that of backpropagation."""
    end = last(rows, "epoch")
    logs = end.assign(log=np.log10(end["train_loss"].fillna(CAP).clip(FLOOR, CAP)))
    return over_units(_gaps(logs, "log").groupby("seed").mean())


def measure_depth_gap(rows: pd.DataFrame) -> Estimate:
    """Best test error of the deepest network minus that of the shallowest, in per cent points, mean over gradients."""
    errors = best(rows).groupby(["seed", "depth"])["test_error"].mean().unstack("depth")
    return over_units(errors.iloc[:, -1] - errors.iloc[:, 0])


def best(rows: pd.DataFrame) -> pd.DataFrame:
    """The smallest test error over the epochs of every run."""
    return rows.groupby([*RUN, "gradient", "seed"], sort=True)["test_error"].min().reset_index()


def _gaps(runs: pd.DataFrame, column: str) -> pd.Series:
    """Adjoint minus backpropagation, for every network and seed; NaN where the recipe leaves one of them out."""
    found = runs.pivot(index=[*RUN, "seed"], columns="gradient", values=column)
    both = found.reindex(columns=["adjoint", "backprop"])
    return both["adjoint"] - both["backprop"]


def draw_depths(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Best test error against depth, a line for every scheme and gradient, as in Figures 3a and 3c."""
    rows = best(log["curves"])
    figure, (ax,) = panels(panel=(5.2, 3.9))
    for scheme, gradient, own in _runs(rows):
        _line(ax, own, "depth", "test_error", scheme, gradient, _colour(rows, scheme, gradient))
    depth_axis(ax, rows["depth"].unique(), "depth $N$ (residual layers)")
    _log_percent(ax, rows["test_error"])
    ax.set_ylabel("best test error (%)")
    return finish(figure, recipe)


def draw_curves(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Training loss and test error against the epoch, a column of panels for every depth, as in Figure 3b."""
    rows = log["curves"]
    depths = sorted(rows["depth"].unique())
    figure, axes = panels(2, len(depths), sharex=True)
    for column, depth in enumerate(depths):
        loss, error = axes[column], axes[len(depths) + column]
        of_depth = rows[rows["depth"] == depth]
        for scheme, gradient, own in _runs(of_depth):
            colour = _colour(rows, scheme, gradient)
            _line(loss, own, "epoch", "train_loss", scheme, gradient, colour, marker="")
            _line(error, own, "epoch", "test_error", scheme, gradient, colour, marker="")
        loss.set_title(f"$N = {depth}$")
        loss.set_yscale("log")
        _log_percent(error, of_depth["test_error"])
        error.set_xlabel("epoch")
        error.xaxis.set_major_locator(MaxNLocator(integer=True))
        _note_divergence(loss, of_depth)
    axes[0].set_ylabel("training loss (nats)")
    axes[len(depths)].set_ylabel("test error (%)")
    _share_scale(axes[: len(depths)])
    _share_scale(axes[len(depths) :])
    return finish(figure, recipe)


def _runs(rows: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """The rows of every scheme and gradient that there are."""
    for scheme, of_scheme in in_order(rows, "scheme", NAMES):
        for gradient, own in in_order(of_scheme, "gradient", LINES):
            yield scheme, gradient, own


def _colour(rows: pd.DataFrame, scheme: str, gradient: str) -> str:
    """Colours tell schemes apart or, where there is only one, gradients."""
    return COLOURS[scheme] if rows["scheme"].nunique() > 1 else OF_GRADIENT[gradient]


def _line(
    ax: Axes, rows: pd.DataFrame, x: str, y: str, scheme: str, gradient: str, colour: str, marker: str = "o"
) -> None:
    name = f"{NAMES[scheme]}, {gradient}"
    line = LINES[gradient]
    spread(ax, rows, x, y, colour=colour, label=name, centre="mean", line=line, marker=marker, points=False)


def _log_percent(ax: Axes, values: pd.Series) -> None:
    """A logarithmic axis of per cents with plain numbers, unless no value has a logarithm."""
    if not (values > 0).any():
        return
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    marks = [mark for mark in (0.5, 1, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 30, 40, 60, 80, 100) if low <= mark <= high]
    ax.set_yticks(marks)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _share_scale(axes: list[Axes]) -> None:
    ends = [ax.get_ylim() for ax in axes]
    for ax in axes:
        ax.set_ylim(min(low for low, _ in ends), max(high for _, high in ends))


def _note_divergence(ax: Axes, rows: pd.DataFrame) -> None:
    lost = rows[rows["diverged"]]
    if len(lost):
        seeds = rows["seed"].nunique()
        words = [f"{NAMES[s]}, {g}: {own['seed'].nunique()} of {seeds} diverged" for s, g, own in _runs(lost)]
        note(ax, "\n".join(words), "upper right")
