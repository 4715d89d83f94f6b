"""Two-layer leaky-ReLU networks followed step by step from small weights.

Lyu, Li, Wang & Arora 2021 (arXiv 2110.13905), its analysis of the dynamics of neurons.
"""

from typing import Literal

from resodectl.experiment.choices import Distinct, Width
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting
from resodectl.families.margin.leaky_settings import (
    Double,
    GradientAblation,
    Hints,
    InitialScale,
    LeakySlope,
    SetName,
    Training,
)

PathName = Literal["symmetric", "hinted", "alignment"]


class Path(Settings):
    """Runs that are followed through all phases."""

    data: SetName = setting("points")
    width: Width = setting("neurons")
    scale: InitialScale = setting("standard deviation of the weights at the start")
    hints: Hints = setting("the hints of the hinted points", default=Hints())
    training: Training = setting("plain descent, then normalised steps from the first weights with n L < log 2")


class Alignment(Settings):
    """Runs of several widths and scales, whose neurons are compared when the loss first falls below 1/2."""

    data: SetName = setting("points", default="symmetric")
    widths: Distinct[Width] = setting("neurons")
    scales: Distinct[InitialScale] = setting("standard deviations of the weights at the start")
    training: Training = setting("plain descent, then normalised steps from the first weights with n L < log 2")


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    slope: LeakySlope = setting("slope of the activation for negative arguments", default=0.5)
    small_output: float = setting("phase I ends when |f| first exceeds this at a point", gt=0.0, le=0.5, default=0.1)
    record_every: int = setting("steps of plain descent between records", unit="steps", ge=1)
    late_record_every: int = setting("normalised steps between records", unit="steps", ge=1)
    ablation: GradientAblation = setting(
        "what is wrong on purpose, or none: no-derivative leaves phi' out of the gradient of the first layer",
        default="none",
    )
    dtype: Double = setting("floating-point type", default="float64")


class Params(Shared):
    """What a recipe sets."""

    symmetric: Path = setting("runs on symmetric points, beside the closed form of phase I")
    hinted: Path | None = setting("runs on hinted points, where one sign is favoured", default=None)
    alignment: Alignment | None = setting("runs of several widths and scales up to the end of phase I", default=None)
    seeds: int = setting("independent starts", ge=1)


class Point(Shared, Path):
    """What determines a cell."""

    path: PathName


_SHARED = (
    Column("path", "string", "", "symmetric, hinted or alignment"),
    Column("width", "int64", "units", "neurons of the network"),
    Column("scale", "float64", "", "standard deviation of the weights at the start"),
    Column("seed", "int64", "", "seed of the start"),
)
LOG = {
    "curves": (
        *_SHARED,
        Column("phase", "string", "", "I: |f| is small at all points; II: n L >= log 2; III: n L < log 2"),
        Column("time", "float64", "", "steps done times the learning rate; NaN in phase III"),
        Column("log10_time", "float64", "", "log10 of the time of gradient flow, the sum of steps over |grad L|"),
        Column("norm", "float64", "", "|theta|"),
        Column("closed_norm", "float64", "", "|theta| of the closed form of phase I; NaN later, and without symmetry"),
        Column("of_best", "float64", "", "normalised margin over the certified upper bound of all networks"),
        Column("certified", "float64", "", "certified lower bound over upper bound of the best network"),
        Column("growth_rate", "float64", "", "growth rate lambda_0 of phase I on symmetric points; NaN on others"),
    ),
    "errors": (
        *_SHARED,
        Column("time", "float64", "", "steps done times the learning rate"),
        Column("phase", "string", "", "I: |f| is small at all points of all runs; II: no longer"),
        Column(
            "form", "string", "",
            "closed form: full; no-decay without the part that decays; no-rest without the part normal to the mean",
        ),
        Column("error", "float64", "", "|theta - closed form| / |closed form|"),
        Column("euler_error", "float64", "", "lr lambda_0^2 t / 2, what the length of the steps explains"),
    ),
    "signs": (
        *_SHARED,
        Column("time", "float64", "", "steps done times the learning rate"),
        Column("sign", "int64", "", "sign of a, +1 or -1"),
        Column("norm", "float64", "", "|theta|"),
        Column("largest", "float64", "", "largest |a_k| of that sign"),
        Column("growth_rate", "float64", "", "its growth rate |mu_+| / 2 or |mu_-| / 2 in phase I"),
    ),
    "runs": (
        *_SHARED,
        Column("first_end", "float64", "", "end of phase I: time at which |f| first exceeds small_output"),
        Column("predicted_first_end", "float64", "", "the same of the part of the closed form that grows"),
        Column("second_end", "float64", "", "end of phase II: time at which n L first falls below log 2"),
        Column("drift", "float64", "", "largest change of a^2 - |w|^2 until the end of phase II, over a^2 + |w|^2"),
        Column("fall", "float64", "", "largest relative fall of the smoothed margin in a normalised step; 0 for none"),
        Column("growth", "float64", "", "normalised margin at the end over that at the end of phase II"),
    ),
    "neurons": (
        *_SHARED,
        Column("moment", "string", "", "start, phase I, phase II or end"),
        Column("first", "float64", "", "first coordinate of |a_k| w_k over the largest |a_k| |w_k|"),
        Column("second", "float64", "", "second coordinate of |a_k| w_k over the largest |a_k| |w_k|"),
        Column("positive", "bool", "", "whether a_k > 0"),
    ),
    "directions": (
        Column("path", "string", "", "symmetric, hinted or alignment"),
        Column("seed", "int64", "", "seed; all have the same directions"),
        Column("reference", "string", "", "mean: of y x; svm: of the largest margin"),
        Column("angle", "float64", "rad", "angle of the direction"),
    ),
    "alignment": (
        *_SHARED,
        Column("moment", "string", "", "start, or phase I: when the loss first falls below 1/2"),
        Column("misalignment", "float64", "", "1 - sum_k |a_k| |<w_k, mu>| / sum_k |a_k| |w_k|, mu the mean direction"),
    ),
}  # fmt: skip
SEED_BLOCK = 16


def cells(params: Params) -> list[Point]:
    """One cell for each path, and one for each width and scale of the alignment."""
    paths: list[tuple[PathName, Path]] = [("symmetric", params.symmetric)]
    if params.hinted:
        paths.append(("hinted", params.hinted))
    if of := params.alignment:
        paths += [
            ("alignment", Path(data=of.data, width=width, scale=scale, training=of.training))
            for width in of.widths
            for scale in of.scales
        ]
    return [point(Point, params, path=name, **dict(path)) for name, path in paths]
