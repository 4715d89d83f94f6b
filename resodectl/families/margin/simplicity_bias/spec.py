"""The outcomes of many runs of two-layer leaky-ReLU networks on points in the plane.

Lyu, Li, Wang & Arora 2021 (arXiv 2110.13905), derived from its theorems: no figure of the paper shows them.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

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

NEAR = 0.1  # a relative distance from a margin within which a run is said to have reached it
Part = Literal["sweep", "growth", "signs"]
Copies = Annotated[int, Field(ge=1, le=100)]


class Setting(Settings):
    """What runs are trained on, from which weights, and how."""

    scales: Distinct[InitialScale] = setting("standard deviations of the weights at the start")
    hints: Hints = setting("the hints of the hinted points", default=Hints())
    training: Training = setting("the two stages of training")
    copies: Copies = setting("independent runs of a seed", default=1)


class Sweep(Setting):
    """Where runs end against the scale of the start."""

    data: SetName = setting("points", default="hinted")
    width: Width = setting("neurons")


class Growth(Setting):
    """How far neurons with a > 0 are ahead when the weights have grown to `norm`."""

    data: Distinct[SetName] = setting("points")
    width: Width = setting("neurons")
    norm: float = setting("|theta| at which neurons are compared", gt=0.0, le=1.0)


class Signs(Setting):
    """How often all neurons of a start have one sign, and where its run then ends."""

    data: SetName = setting("points", default="symmetric")
    widths: Distinct[Width] = setting("neurons")


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    slope: LeakySlope = setting("slope of the activation for negative arguments", default=0.5)
    ablation: GradientAblation = setting(
        "what is wrong on purpose, or none: no-derivative leaves phi' out of the gradient of the first layer",
        default="none",
    )
    dtype: Double = setting("floating-point type", default="float64")


class Params(Shared):
    """What a recipe sets."""

    sweep: Sweep | None = setting("where runs end against the scale of the start", default=None)
    growth: Growth | None = setting("how far neurons of the favoured sign are ahead", default=None)
    signs: Signs | None = setting("how often neurons have one sign", default=None)
    seeds: int = setting("independent starts", ge=1)

    @model_validator(mode="after")
    def parts_are_possible(self) -> Self:
        """Refuse recipes without parts, and starts beyond the norm at which neurons are compared."""
        if not (self.sweep or self.growth or self.signs):
            raise ValueError("give at least one of sweep, growth and signs")
        if self.growth:
            size = max(self.growth.scales) * (3 * self.growth.width) ** 0.5
            if size > self.growth.norm / 2:
                raise ValueError(
                    f"growth: weights of scale {max(self.growth.scales):g} have the norm {size:.2g} at the start, "
                    f"more than half of the norm {self.growth.norm:g} to which they shall grow"
                )
        return self


class Point(Shared, Setting):
    """What determines a cell."""

    part: Part
    data: SetName
    width: Width
    norm: float | None


_RUN = (
    Column("part", "string", "", "sweep, growth or signs"),
    Column("data", "string", "", "points"),
    Column("width", "int64", "units", "neurons of the network"),
    Column("scale", "float64", "", "standard deviation of the weights at the start"),
    Column("seed", "int64", "", "seed of the start"),
    Column("copy", "int64", "", "which of the independent runs of the seed"),
)
LOG = {
    "outcomes": (
        *_RUN,
        Column(
            "moment",
            "string",
            "",
            "start: untrained; early: after plain descent; late: after the normalised steps; in growth, grown: when "
            "|theta| reaches the norm, or plain descent ends",
        ),
        Column("of_best", "float64", "", "normalised margin over the certified upper bound of all networks"),
        Column("certified", "float64", "", "certified lower bound over upper bound of the best network"),
        Column("of_neuron", "float64", "", "normalised margin over that of the best single neuron with a > 0"),
        Column("norm", "float64", "", "|theta|"),
        Column("log_odds", "float64", "", "logit of the share of neurons with a < 0 in sum_k |a_k| |w_k|"),
        Column("predicted_slope", "float64", "", "2 (1 - |mu_-| / |mu_+|), of log_odds against the log of the scale"),
    ),
    "predictions": (
        *_RUN,
        Column("rule", "string", "", "amplitudes: signs of a + <w, mean>; outputs: of a; svm: of a + <w, best line>"),
        Column(
            "single", "bool", "", "whether all signs are equal: the prediction that the run ends as a single neuron"
        ),
        Column("right", "bool", "", "whether it has that margin at the last stage exactly if this is predicted"),
    ),
}
SEED_BLOCK = 40


def cells(params: Params) -> list[Point]:
    """One cell for the sweep, for each set of points whose growth is followed, and for each width of the signs."""
    placed: list[tuple[Part, Setting, SetName, int, float | None]] = []
    if params.sweep:
        placed.append(("sweep", params.sweep, params.sweep.data, params.sweep.width, None))
    if params.growth:
        placed += [
            ("growth", params.growth, data, params.growth.width, params.growth.norm) for data in params.growth.data
        ]
    if params.signs:
        placed += [("signs", params.signs, params.signs.data, width, None) for width in params.signs.widths]
    return [
        point(
            Point, params, part=part, data=data, width=width, norm=norm,
            **{name: getattr(of, name) for name in Setting.model_fields},
        )
        for part, of, data, width, norm in placed
    ]  # fmt: skip
