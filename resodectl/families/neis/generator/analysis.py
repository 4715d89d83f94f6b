"""How well the map of a zero-variance flow carries samples of rho0 to rho1, and the figure that shows it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from resodectl.claims.estimate import Estimate, exact, per_seed
from resodectl.drawing.axes import dots, level, log_axis
from resodectl.drawing.colours import BLACK, BLUE, SEQUENCE, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import in_order
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.neis.generator.spec import Params

FLOOR = 1e-16  # smaller errors are rounding
SHARE = 0.95  # of the points of the grid of which the error counts
CASES = ("line", "square", "torus", "walls")
ABLATIONS = {"none": (BLUE, "right"), "short": (VERMILLION, "integrals from $-1$ on"), "no-jacobian": (BLACK, "$J=1$")}
SHOWN = ("square", "torus")  # the examples of which all panels are drawn
RANGE = (1e-6, 1e-1)  # of the colours of the error


def measure_chi_square(rows: pd.DataFrame) -> Estimate:
    """chi^2 over bins - 1, mean over seeds: 1 for samples of rho1."""
    return per_seed(rows, lambda of_seed: of_seed["chi_square"].mean())


def measure_log10_map_error(rows: pd.DataFrame) -> Estimate:
    """log10 of the largest distance from the exact map of a point, mean over seeds."""
    return per_seed(rows, lambda of_seed: np.log10(max(of_seed["map_error"].max(skipna=False), FLOOR)))


def measure_log10_jacobian_error(rows: pd.DataFrame) -> Estimate:
    """log10 of the 95 % quantile over the grid of |rho1(T) |det grad T| - 1|; 1 counts where a point is not mapped."""
    errors = rows["jacobian_error"].fillna(1.0).clip(lower=FLOOR)
    return exact(float(np.log10(errors.quantile(SHARE, interpolation="higher"))))


def measure_log10_largest_error(rows: pd.DataFrame) -> Estimate:
    """log10 of the largest relative error of a weight, mean over seeds."""
    return per_seed(rows, lambda of_seed: np.log10(max(of_seed["largest_error"].max(skipna=False), FLOOR)))


def draw_generator(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """The map on the line, chi^2 of all maps; for two of them flow lines, tau, mapped points, the Jacobian's error."""
    figure, axes = panels(2, 5, panel=(2.9, 2.7))
    _line(axes[0], log["histogram"], recipe.params)
    _chi_squares(axes[5], log["fit"])
    for row, case in enumerate(SHOWN):
        own = {kind: rows[rows["case"] == case] for kind, rows in log.items()}
        if own["histogram"].empty:
            continue
        bins, grid = own["histogram"], own["map"]
        grid = grid[grid["ablation"] == "none"].drop_duplicates(["x", "y"])  # each block of seeds has the same
        of_row = axes[5 * row + 1 : 5 * row + 5]
        counts = bins.groupby(["x", "y"])[["count", "expected"]].sum().reset_index()
        _flow_lines(of_row[0], counts, own["lines"].drop_duplicates(), case)
        _plane(of_row[1], grid, -np.log1p(grid["tau"].abs()), f"{case}: $-\\log(1+|\\tau|)$")
        highest = float(counts["expected"].max())
        _plane(of_row[2], counts, counts["count"] / highest, f"{case}: mapped points", (0.0, 1.0))
        logs = np.log10(grid["jacobian_error"].clip(*RANGE))
        _plane(of_row[3], grid, logs, f"{case}: $\\log_{{10}}$ error of $J$", tuple(np.log10(RANGE)))
    return finish(figure, recipe)


def _line(ax: Axes, rows: pd.DataFrame, params: Params) -> None:
    rows = rows[rows["case"] == "line"].groupby("x")[["count", "expected"]].sum().reset_index()
    width = float(np.diff(rows["x"]).mean())
    law = stats.norm(params.shift, params.scale)
    total = rows["expected"].sum() / (law.cdf(rows["x"].max() + width / 2) - law.cdf(rows["x"].min() - width / 2))
    ax.bar(rows["x"], rows["count"] / (total * width), width, color=BLUE, alpha=0.45, linewidth=0, label="$T(x)$")
    fine = np.linspace(rows["x"].min(), rows["x"].max(), 201)
    ax.plot(fine, law.pdf(fine), color=BLACK, label="$\\rho_1$")
    ax.set_title("$d=1$: mapped points")
    ax.set_xlabel("$x$")
    ax.set_ylabel("density")


def _chi_squares(ax: Axes, rows: pd.DataFrame) -> None:
    cases = [case for case in CASES if (rows["case"] == case).any()]
    for ablation, of_ablation in in_order(rows, "ablation", ABLATIONS):
        colour, name = ABLATIONS[ablation]
        for place, (_, own) in enumerate(in_order(of_ablation, "case", cases)):
            dots(ax, place, own["chi_square"], colour=colour, label=name if place == 0 else None)
    level(ax, 1.0, "expectation under $\\rho_1$")
    log_axis(ax)
    ax.set_xticks(range(len(cases)), cases)
    ax.set_title("$\\chi^2$ of the mapped points")
    ax.set_ylabel("$\\chi^2/(\\mathrm{bins}-1)$")


def _flow_lines(ax: Axes, counts: pd.DataFrame, lines: pd.DataFrame, case: str) -> None:
    table = counts.pivot(index="y", columns="x", values="expected")
    ax.pcolormesh(table.columns, table.index, table, cmap=SEQUENCE, shading="nearest")
    for _, own in lines.groupby("line"):
        place = own[["x", "y"]].to_numpy()
        inside = place - np.floor(place)
        inside[1:][(np.abs(np.diff(inside, axis=0)) > 0.5).any(1)] = np.nan  # a line leaves the torus, and enters again
        ax.plot(inside[:, 0], inside[:, 1], "-", color="white", linewidth=0.6, alpha=0.8)
    _square(ax, f"{case}: $\\rho_1$ and flow lines")


def _plane(ax: Axes, rows: pd.DataFrame, values: pd.Series, title: str, ends: tuple[float, ...] | None = None) -> None:
    table = rows.assign(value=values).pivot(index="y", columns="x", values="value")
    low, high = ends or (float(np.nanmin(table)), float(np.nanmax(table)))
    mesh = ax.pcolormesh(table.columns, table.index, table, cmap=SEQUENCE, shading="nearest", vmin=low, vmax=high)
    ax.figure.colorbar(mesh, ax=ax, fraction=0.046, pad=0.03)
    _square(ax, title)


def _square(ax: Axes, title: str) -> None:
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    ax.grid(visible=False)
    ax.set_title(title, fontsize=9)
