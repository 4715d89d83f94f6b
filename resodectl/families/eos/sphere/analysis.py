"""How closely descent on the sphere toy follows the sharpness-reduction flow at the edge, and the picture of it.

Lyu, Li & Arora 2022 (arXiv 2206.07085). e = sqrt(2 h l) is the size of the effective steps times the gradient.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Line3DCollection  # type: ignore[import-untyped]
from mpl_toolkits.mplot3d.axes3d import Axes3D  # type: ignore[import-untyped]

from resodectl.claims.estimate import Estimate, loglog_slope, per_seed
from resodectl.drawing.axes import log_axis_at, reference_slope, spread
from resodectl.drawing.colours import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILLION, sequence
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import first_seed, in_order
from resodectl.experiment.drawn import Drawn
from resodectl.families.eos.edges import edge_time
from resodectl.families.eos.sphere.spec import Params

COLOURS = (VERMILLION, ORANGE, GREEN, BLUE)  # of weight decays, from the largest on
WINDOW = 0.5  # of tau, over which oscillations are averaged
RUN = ["start", "decay"]
WIDTHS = (4.6, 1.2)  # of lines that lie on each other, from the first to the last
VIEW = 1.0  # longitude from which the sphere is seen
THIN = 8  # every so many pairs of steps are drawn, lest the zigzag is a solid band
ENLARGED = 6  # how much u_3 is on the sphere, where the zigzag is a line otherwise


def measure_flow_error(rows: pd.DataFrame) -> Estimate:
    """The largest distance in longitude between descent and flow, in units of e, of all runs of a seed."""
    return per_seed(rows, lambda own: float((_error(own) / _step(own)).max()))


def measure_error_slope(rows: pd.DataFrame) -> Estimate:
    """The order in e of the largest distance between descent and flow."""

    def slope(own: pd.DataFrame) -> float:
        worst = _error(own).groupby(_step(own)).max()
        return loglog_slope(worst.index, worst)

    return per_seed(rows, slope)


def measure_ratio_error(rows: pd.DataFrame) -> Estimate:
    """|mean of lambda eta / 2 over time - 1|, lambda on the circle, of that run of a seed where it is largest."""
    return per_seed(rows, lambda own: float((own.groupby(RUN)["ratio"].mean() - 1).abs().max()))


def measure_mean_ratio(rows: pd.DataFrame) -> Estimate:
    """The mean over time of spherical sharpness over 2 / eta, both averaged over two consecutive steps."""
    return per_seed(rows, lambda own: float((own["sharpness"] / own["threshold"]).mean()))


def measure_edge_delay(rows: pd.DataFrame) -> Estimate:
    """When the run reaches the edge (or else ends), minus when it should by the decay of |w|^2."""

    def delay(own: pd.DataFrame) -> float:
        reached = edge_time(own["time"], own["sharpness"] / own["threshold"])
        return min(reached, float(own["time"].max())) - float(own["time_to_edge"].iloc[0])

    return per_seed(rows, delay)


def measure_oscillation_error(rows: pd.DataFrame) -> Estimate:
    """|mean u_3^2 / predicted - 1| in that window of tau of a run where it is largest."""

    def worst(own: pd.DataFrame) -> float:
        windows = own.groupby([*RUN, own["time"] // WINDOW])[["oscillation", "predicted_oscillation"]].mean()
        return float((windows["oscillation"] / windows["predicted_oscillation"] - 1).abs().max())

    return per_seed(rows, worst)


def measure_rmsprop_error(rows: pd.DataFrame) -> Estimate:
    """The largest relative difference between the step of RMSprop and eta, in units of h l."""
    return per_seed(rows, lambda own: float((own["rmsprop_error"].abs() / (own["lr"] * own["decay"])).max()))


def draw_sphere(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """The sphere with descent and flow, their longitudes, sharpness against 2 / eta, the error and the oscillation."""
    rows, path = (log[kind][log[kind]["start"] == "edge"] for kind in ("curves", "path"))
    shown, coarse = first_seed(rows), rows["decay"].max()
    one = shown[shown["decay"] == coarse]
    figure = Figure(figsize=(11.7, 7.0), layout="constrained")
    axes = figure.subplot_mosaic([["sphere", "zigzag", "longitude"], ["edge", "error", "oscillation"]],
                                 per_subplot_kw={"sphere": {"projection": "3d"}})  # fmt: skip
    zigzag = first_seed(path[path["decay"] == coarse])
    zigzag = zigzag[np.arange(len(zigzag)) // 2 % THIN == 0]
    _globe(figure, axes["sphere"], zigzag, one)
    _zigzag(axes["zigzag"], zigzag, one)
    _longitudes(axes["longitude"], shown)
    _edges(axes["edge"], shown)
    _errors(axes["error"], rows)
    _oscillations(axes["oscillation"], shown)
    return finish(figure, recipe)


def _globe(figure: Figure, ax: Axes, path: pd.DataFrame, run: pd.DataFrame) -> None:
    """The sphere shaded by L, its minimisers coloured by lambda, and flow and descent on it, the height enlarged."""
    if not isinstance(ax, Axes3D):
        raise TypeError("the globe needs three-dimensional axes")
    a = float(run["anisotropy"].iloc[0])
    p, height = np.meshgrid(np.linspace(0, 2 * np.pi, 120), np.linspace(-np.pi / 2, np.pi / 2, 60))
    x, y, z = np.cos(height) * np.cos(p), np.cos(height) * np.sin(p), np.sin(height)
    shade = colormaps["Greys"](0.02 + 0.6 * np.sqrt((1 + a * x**2) * z**2 / (1 + a / 2)))
    # fmt: off
    ax.plot_surface(x, y, z, facecolors=shade, rcount=60, ccount=120, linewidth=0, antialiased=False, shade=False)
    ax.computed_zorder = False  # curves on the visible side stand in front of the sphere
    circle = np.linspace(VIEW - 1.35, VIEW + 1.35, 200)
    points = np.stack([np.cos(circle), np.sin(circle), np.zeros_like(circle)], 1)
    gamma = Line3DCollection(np.stack([points[:-1], points[1:]], 1), cmap="viridis", norm=Normalize(1, 1 + a),
                             linewidths=5, zorder=2)
    gamma.set_array(1 + a * np.cos(circle[:-1]) ** 2)
    ax.add_collection3d(gamma)
    ax.plot(path["u1"], path["u2"], ENLARGED * path["u3"], color=VERMILLION, linewidth=0.9, zorder=3)
    flow = run["flow"].to_numpy()
    ax.plot(np.cos(flow), np.sin(flow), np.zeros_like(flow), "--", color=BLACK, linewidth=1.2, zorder=4)
    # fmt: on
    ax.set_box_aspect((1, 1, 1), zoom=1.6)
    ax.set(xlim=(-1, 1), ylim=(-1, 1), zlim=(-1, 1))
    ax.view_init(elev=22, azim=float(np.degrees(VIEW)))
    ax.set_axis_off()
    ax.set_title(f"$L$ in grey, minimisers $\\Gamma$; $u_3$ times {ENLARGED}", loc="left")
    bar = figure.colorbar(gamma, ax=ax, orientation="horizontal", shrink=0.6, pad=0.0, aspect=25)
    bar.set_label("$\\lambda$ on $\\Gamma$")


def _zigzag(ax: Axes, path: pd.DataFrame, run: pd.DataFrame) -> None:
    rate = float((run["lr"] * run["decay"]).iloc[0])
    label = f"descent, $l = {run['decay'].iloc[0]:g}$"
    ax.plot(np.arctan2(path["u2"], path["u1"]), path["u3"], color=COLOURS[0], linewidth=0.6, label=label)
    scale = np.sqrt(run["predicted_oscillation"])
    ax.plot(run["longitude"], scale, ":", color=BLACK, linewidth=1.2)
    ax.plot(run["longitude"], -scale, ":", color=BLACK, linewidth=1.2, label="$\\pm(2hl/(4+|G|^2))^{1/2}$")
    ax.set_title(f"zigzag across $\\Gamma$, $2hl = {2 * rate:g}$")
    ax.set_xlabel("longitude $p$")
    ax.set_ylabel("$u_3$")


def _longitudes(ax: Axes, rows: pd.DataFrame) -> None:
    for colour, width, decay, run in _runs(rows):
        ax.plot(run["time"], run["longitude"], color=colour, linewidth=width, label=f"descent, $l = {decay:g}$")
    ax.plot(run["time"], run["flow"], "--", color=BLACK, label="sharpness-reduction flow")
    ax.axhline(np.pi / 2, color=GREY, linewidth=0.8)
    ax.annotate("flattest minimiser, $p = \\pi/2$", (0.03, np.pi / 2), xycoords=("axes fraction", "data"),
                xytext=(0, -11), textcoords="offset points", color=GREY, fontsize=8.5)  # fmt: skip
    ax.set_title("longitude")
    ax.set_xlabel("$\\tau = hlt$")
    ax.set_ylabel("$p$")


def _edges(ax: Axes, rows: pd.DataFrame) -> None:
    for colour, width, _, run in _runs(rows):
        ax.plot(run["time"], run["sharpness"], color=colour, linewidth=width)
    ax.plot(run["time"], run["threshold"], ":", color=BLACK, label="$2/\\eta_t$, smallest $l$")
    ax.set_title("spherical sharpness $\\lambda$ and $2/\\eta_t$")
    ax.set_xlabel("$\\tau = hlt$")
    ax.set_ylabel("$\\lambda$")


def _errors(ax: Axes, rows: pd.DataFrame) -> None:
    worst = rows.assign(error=_error(rows), e=_step(rows)).groupby(["seed", "decay", "e"])["error"].max().reset_index()
    spread(ax, worst, "e", "error", colour=BLUE, label="largest $|p - p_{flow}|$, all seeds")
    ax.set_yscale("log")
    log_axis_at(ax, worst["e"].unique(), "$e = (2hl)^{1/2}$")
    first = worst[worst["e"] == worst["e"].min()]
    ends = (float(worst["e"].min()), float(worst["e"].max()))
    reference_slope(ax, ends, 1, (ends[0], 0.4 * float(first["error"].median())), "$\\propto e$")
    reference_slope(ax, ends, 1, (ends[0], 0.1 * ends[0]), "$e/10$")
    ax.set_title("distance to the flow")
    ax.set_ylabel("radians")


def _oscillations(ax: Axes, rows: pd.DataFrame) -> None:
    for colour, width, _, run in _runs(rows):
        means = run.groupby(run["time"] // WINDOW)[["time", "oscillation"]].mean()
        rate = float((run["lr"] * run["decay"]).iloc[0])
        ax.plot(means["time"], means["oscillation"] / rate, "o", color=colour, markersize=2 + 1.5 * width)
    ax.plot(run["time"], run["predicted_oscillation"] / rate, "--", color=BLACK)
    ax.axhline(0.5, color=GREY, linewidth=0.8)
    ax.annotate("without its denominator: 1/2", (0.03, 0.5), xycoords=("axes fraction", "data"), xytext=(0, 4),
                textcoords="offset points", color=GREY, fontsize=8.5)  # fmt: skip
    ax.set_ylim(0, 0.58)
    ax.set_title(f"oscillation, means over $\\tau$ of {WINDOW:g}")
    ax.set_xlabel("$\\tau = hlt$")
    ax.set_ylabel("mean $u_3^2 \\,/\\, hl$")


def _runs(rows: pd.DataFrame) -> list[tuple[str, float, float, pd.DataFrame]]:
    """Colour, line width, weight decay and rows of the runs, from the largest decay on."""
    runs = in_order(rows, "decay", sorted(rows["decay"].unique().tolist(), reverse=True))
    colours = COLOURS if len(runs) <= len(COLOURS) else sequence(len(runs))
    widths = np.linspace(*WIDTHS, max(len(runs), 2))
    return [(colour, float(width), *run) for colour, width, run in zip(colours, widths, runs, strict=False)]


def _error(rows: pd.DataFrame) -> pd.Series:
    return (rows["longitude"] - rows["flow"]).abs()


def _step(rows: pd.DataFrame) -> pd.Series:
    return (2 * rows["lr"] * rows["decay"]) ** 0.5
