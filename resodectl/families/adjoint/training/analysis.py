"""What the adjoint costs in training, in test error and in loss, and the figures that show it.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612), Figure 3.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from resodectl.claims.estimate import Estimate, over_units
from resodectl.drawing.axes import depth_axis, log_axis, note, plain_ticks, spread
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
TYINGS = {"tied": "tied weights", "untied": "untied weights"}
LINES = {"backprop": "-", "adjoint": "--"}


def measure_error_gap(rows: pd.DataFrame) -> Estimate:
    """How much larger the best test error of the adjoint is than that of backpropagation, in per cent points."""
    return over_units(_gaps(best(rows), "test_error").groupby("seed").mean())


def measure_loss_gap(rows: pd.DataFrame) -> Estimate:
    """log10 of the last epoch's training loss of the adjoint over that of backpropagation."""
    return over_units(_gaps(_ends(rows), "log").groupby("seed").mean())


def measure_scheme_gap(rows: pd.DataFrame) -> Estimate:
    """How much more of the last training loss the adjoint costs the Euler network than the Heun network, in log10."""
    of_scheme = _gaps(_ends(rows), "log").groupby(["seed", "scheme"]).mean().unstack("scheme")
    both = of_scheme.reindex(columns=["euler", "heun"])
    return over_units(both["euler"] - both["heun"])


def measure_worst_loss(rows: pd.DataFrame) -> Estimate:
    """log10 of the last epoch's training loss, of the worst of a seed's networks."""
    return over_units(_ends(rows).groupby("seed")["log"].max())


def measure_depth_gap(rows: pd.DataFrame) -> Estimate:
    """Best test error of the deepest network minus that of the shallowest, in per cent points, mean over gradients."""
    errors = best(rows).groupby(["seed", "depth"])["test_error"].mean().unstack("depth")
    return over_units(errors.iloc[:, -1] - errors.iloc[:, 0])


def _ends(rows: pd.DataFrame) -> pd.DataFrame:
    """The last epoch's rows, with the logarithm of their training loss as column `log`."""
    end = last(rows, "epoch")
    return end.assign(log=np.log10(end["train_loss"].fillna(CAP).clip(FLOOR, CAP)))


def best(rows: pd.DataFrame) -> pd.DataFrame:
    """The smallest test error over the epochs of every run."""
    return rows.groupby([*RUN, "gradient", "seed"], sort=True)["test_error"].min().reset_index()


def _gaps(runs: pd.DataFrame, column: str) -> pd.Series:
    """Adjoint minus backpropagation, for every network and seed; NaN where the recipe leaves one of them out."""
    found = runs.pivot(index=[*RUN, "seed"], columns="gradient", values=column)
    both = found.reindex(columns=["adjoint", "backprop"])
    return both["adjoint"] - both["backprop"]


def draw_depths(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Best test error, as in Figures 3a and 3c, and last training loss against depth; a row of panels for each tying.

    A line for every scheme and gradient.
    """
    rows = log["curves"]
    tyings = in_order(rows, "weights", TYINGS)
    figure, axes = panels(len(tyings), 2, sharex=True)
    for row, (tying, of_tying) in enumerate(tyings):
        error, loss = axes[2 * row : 2 * row + 2]
        for scheme, gradient, own in _runs(of_tying):
            colour = _colour(rows, scheme, gradient)
            _line(error, best(own), "depth", "test_error", scheme, gradient, colour, "o")
            _line(loss, last(own, "epoch"), "depth", "train_loss", scheme, gradient, colour, "o")
        log_axis(error)
        log_axis(loss)
        of_which = f", {TYINGS[tying]}" if len(tyings) > 1 else ""
        for ax, title in ((error, "best test error (%)"), (loss, "training loss at the end (nats)")):
            plain_ticks(ax)
            ax.set_title(f"{title}{of_which}")
            depth_axis(ax, rows["depth"].unique(), "depth $N$ (residual layers)" if row == len(tyings) - 1 else "")
    return finish(figure, recipe)


def draw_curves(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Training loss and test error against the epoch, a column of panels for every depth and tying, as in Figure 3b."""
    rows = log["curves"]
    marker = "o" if rows["epoch"].nunique() == 1 else ""
    columns = [
        (f"$N = {depth}$" + (f", {TYINGS[tying]}" if rows["weights"].nunique() > 1 else ""), own)
        for tying, of_tying in in_order(rows, "weights", TYINGS)
        for depth, own in in_order(of_tying, "depth", sorted(rows["depth"].unique()))
    ]
    figure, axes = panels(2, len(columns), sharex=True)
    losses, errors = axes[: len(columns)], axes[len(columns) :]
    for loss, error, (title, of_column) in zip(losses, errors, columns, strict=True):
        for scheme, gradient, own in _runs(of_column):
            colour = _colour(rows, scheme, gradient)
            _line(loss, own, "epoch", "train_loss", scheme, gradient, colour, marker)
            _line(error, own, "epoch", "test_error", scheme, gradient, colour, marker)
        loss.set_title(title)
        error.set_title(title)
        error.set_xlabel("epoch")
        error.xaxis.set_major_locator(MaxNLocator(integer=True))
        log_axis(loss)
        log_axis(error)
        _note_divergence(loss, of_column)
    losses[0].set_ylabel("training loss (nats)")
    errors[0].set_ylabel("test error (%)")
    _share_scale(losses)
    _share_scale(errors)
    for error in errors:
        plain_ticks(error)
    return finish(figure, recipe)


def _runs(rows: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """The rows of every scheme and gradient that there are."""
    for scheme, of_scheme in in_order(rows, "scheme", NAMES):
        for gradient, own in in_order(of_scheme, "gradient", LINES):
            yield scheme, gradient, own


def _colour(rows: pd.DataFrame, scheme: str, gradient: str) -> str:
    """Colours tell schemes apart or, where there is only one, gradients."""
    return COLOURS[scheme] if rows["scheme"].nunique() > 1 else OF_GRADIENT[gradient]


def _line(ax: Axes, rows: pd.DataFrame, x: str, y: str, scheme: str, gradient: str, colour: str, marker: str) -> None:
    name = f"{NAMES[scheme]}, {gradient}"
    line = LINES[gradient]
    spread(ax, rows, x, y, colour=colour, label=name, centre="mean", line=line, marker=marker, points=False)


def _share_scale(axes: list[Axes]) -> None:
    """The same limits for all panels that have a logarithmic axis; others, where all is lost or zero, stay alone."""
    logarithmic = [ax for ax in axes if ax.get_yscale() == "log"]
    ends = [ax.get_ylim() for ax in logarithmic]
    for ax in logarithmic:
        ax.set_ylim(min(low for low, _ in ends), max(high for _, high in ends))


def _note_divergence(ax: Axes, rows: pd.DataFrame) -> None:
    lost = rows[rows["diverged"]]
    if len(lost):
        seeds = rows["seed"].nunique()
        words = [f"{NAMES[s]}, {g}: {own['seed'].nunique()} of {seeds} diverged" for s, g, own in _runs(lost)]
        note(ax, "\n".join(words), "upper right")
