"""Growth rates, closed form and margins of the phases of training from small weights, and the figure of them.

Lyu, Li, Wang & Arora 2021 (arXiv 2110.13905).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.claims.estimate import Estimate, per_seed
from resodectl.drawing.axes import level, spread
from resodectl.drawing.colours import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION
from resodectl.drawing.finish import finish
from resodectl.drawing.rows import first_seed, in_order
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.margin.phases.spec import Params

FLOOR = 1e-16  # smaller falls are rounding
MOMENTS = {"start": "start", "phase I": "end of phase I", "phase II": "end of phase II", "end": "end"}
FORMS = {
    "full": ("closed form", BLUE),
    "no-decay": ("without the decaying part", ORANGE),
    "no-rest": ("without the part normal to the mean", PURPLE),
}
PHASES = {"I": SKY, "II": ORANGE}


def measure_error(rows: pd.DataFrame) -> Estimate:
    """|theta - closed form| / |closed form|, mean over the times of a seed."""
    return per_seed(rows, lambda of_seed: of_seed["error"].mean())


def measure_error_over_euler(rows: pd.DataFrame) -> Estimate:
    """The same over lr lambda_0^2 t / 2, what the length of the steps explains."""
    return per_seed(rows, lambda of_seed: (of_seed["error"] / of_seed["euler_error"]).mean())


def measure_norm_growth(rows: pd.DataFrame) -> Estimate:
    """The slope of log |theta| against time over the rate of phase I, a seed at a time."""
    return per_seed(rows, lambda of_seed: _slope(of_seed["time"], of_seed["norm"]) / of_seed["growth_rate"].iloc[0])


def measure_sign_growth(rows: pd.DataFrame) -> Estimate:
    """The slope of log max |a_k| of a sign against time over |mu| / 2 of that sign, a seed at a time."""
    return per_seed(rows, lambda of_seed: _slope(of_seed["time"], of_seed["largest"]) / of_seed["growth_rate"].iloc[0])


def measure_first_end(rows: pd.DataFrame) -> Estimate:
    """The end of phase I over the prediction from the start, mean over seeds."""
    return per_seed(rows, lambda of_seed: (of_seed["first_end"] / of_seed["predicted_first_end"]).mean())


def measure_misalignment(rows: pd.DataFrame) -> Estimate:
    """1 - sum |a| |<w, mu>| / sum |a| |w|: the largest among the runs of a seed."""
    return per_seed(rows, lambda of_seed: of_seed["misalignment"].max())


def measure_drift(rows: pd.DataFrame) -> Estimate:
    """The largest change of a^2 - |w|^2 over the largest a^2 + |w|^2: the largest among the runs of a seed."""
    return per_seed(rows, lambda of_seed: _largest(of_seed["drift"]))


def measure_log10_fall(rows: pd.DataFrame) -> Estimate:
    """log10 of the largest relative fall of the smoothed margin in a step, among the runs of a seed, from -16 to 0."""
    return per_seed(rows, lambda of_seed: float(np.log10(np.clip(_largest(of_seed["fall"]), FLOOR, 1.0))))


def measure_growth(rows: pd.DataFrame) -> Estimate:
    """The factor by which the normalised margin grows in phase III, mean over the runs of a seed."""
    return per_seed(rows, lambda of_seed: of_seed["growth"].mean(skipna=False))


def _largest(values: pd.Series) -> float:
    return float(values.max(skipna=False))


def _slope(time: pd.Series, size: pd.Series) -> float:
    if len(time) < 2 or not (size > 0).all():
        return float("nan")
    return float(np.polyfit(time, np.log(size), 1)[0])


def draw_phases(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Neurons at the ends of the phases, and below: norms, errors of the closed form, growth by sign, margins."""
    figure, axes = panels(2, 4, panel=(3.3, 3.1))
    own = {kind: rows[rows["path"] == "symmetric"] for kind, rows in log.items()}
    for ax, (moment, title) in zip(axes, MOMENTS.items(), strict=False):
        _neurons(ax, own["neurons"], own["directions"], moment)
        ax.set_title(title)
    _norms(axes[4], first_seed(own["curves"]))
    _errors(axes[5], own["errors"])
    _signs(axes[6], log["signs"])
    _margins(axes[7], log["curves"])
    return finish(figure, recipe)


def _neurons(ax: Axes, neurons: pd.DataFrame, directions: pd.DataFrame, moment: str) -> None:
    rows = first_seed(neurons[neurons["moment"] == moment])
    for reference, label, line in (("mean", "mean of $yx$", "--"), ("svm", "largest margin of a line", ":")):
        angle = directions.loc[directions["reference"] == reference, "angle"].iloc[0]
        ends = 1.2 * np.array([np.cos(angle), np.sin(angle)])
        ax.plot([-ends[0], ends[0]], [-ends[1], ends[1]], line, color=BLACK, linewidth=1.2, label=label, zorder=1.5)
    for positive, shown in in_order(rows, "positive", (True, False)):
        label, colour = ("$a_k > 0$", BLUE) if positive else ("$a_k < 0$", VERMILLION)
        ax.plot(shown["first"], shown["second"], "o", color=colour, alpha=0.75, markersize=5, label=label, zorder=3)
    ax.set(xlim=(-1.15, 1.15), ylim=(-1.15, 1.15), aspect="equal")
    ax.set_xlabel("$|a_k| w_{k,1}$ / largest")
    ax.set_ylabel("$|a_k| w_{k,2}$ / largest")


def _norms(ax: Axes, curves: pd.DataFrame) -> None:
    plain = curves[curves["phase"] != "III"].sort_values("time")
    for phase, rows in in_order(plain, "phase", PHASES):
        times = rows["time"].min(), rows["time"].max()
        ax.axvspan(*times, color=PHASES[phase], alpha=0.18, linewidth=0, label=f"phase {phase}")
    ax.plot(plain["time"], plain["norm"], color=BLUE, label="descent")
    ax.plot(
        plain["time"], plain["closed_norm"], "--", color=BLACK, linewidth=1.2, label="closed form, rate $\\lambda_0$"
    )
    ax.set(yscale="log", xlabel="time", ylabel="$|\\theta|$")
    ax.set_title("norm, one run")


def _errors(ax: Axes, errors: pd.DataFrame) -> None:
    shown = errors[(errors["time"] > 0) & (errors["phase"] == "I")]
    for form, rows in in_order(shown, "form", FORMS):
        label, colour = FORMS[form]
        spread(ax, rows, "time", "error", colour=colour, label="descent" if form == "full" else label, marker="")
    euler = first_seed(shown[shown["form"] == "full"])
    ax.plot(
        euler["time"], euler["euler_error"], "--", color=BLACK, label="$h\\lambda_0^2 t/2$, step size $h$", zorder=4
    )
    ax.set(yscale="log", xlabel="time", ylabel="relative error")
    ax.set_title("distance from the closed form")


def _signs(ax: Axes, signs: pd.DataFrame) -> None:
    rows = signs[signs["path"] == ("hinted" if (signs["path"] == "hinted").any() else "symmetric")]
    rows = rows[rows["norm"] < 1]
    for sign, own in in_order(rows, "sign", (1, -1)):
        colour = BLUE if sign > 0 else VERMILLION
        label = "$a_k > 0$" if sign > 0 else "$a_k < 0$"
        one = first_seed(own)
        ax.plot(one["time"], one["largest"], color=colour, label=label, linewidth=2.4, alpha=0.6)
        middle = one.iloc[len(one) // 2]
        line = middle["largest"] * np.exp(middle["growth_rate"] * (one["time"] - middle["time"]))
        ax.plot(one["time"], line, ":", color=GREY, label="rate $|\\mu_\\pm| / 2$", zorder=4)
    ax.set(yscale="log", xlabel="time", ylabel="largest $|a_k|$")
    ax.set_title(f"{rows['path'].iloc[0]} points, one run")


def _margins(ax: Axes, curves: pd.DataFrame) -> None:
    for path, colour in (("symmetric", GREEN), ("hinted", VERMILLION)):
        rows = curves[(curves["path"] == path) & (curves["of_best"] > 0) & (curves["log10_time"] > 0)]
        for number, (_, run) in enumerate(rows.groupby("seed")):
            label = None if number else f"{path} points"
            ax.plot(run["log10_time"], run["of_best"], color=colour, alpha=0.7, linewidth=1.1, label=label)
    level(ax, 1.0, "certified best network")
    ax.set(ylim=(0, 1.08), xlabel="$\\log_{10}$ time", ylabel="margin / certified best")
    ax.set_title("normalised margin")
