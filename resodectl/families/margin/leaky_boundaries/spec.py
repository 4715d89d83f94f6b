"""Two-layer leaky-ReLU networks trained from small weights on sets of points in the plane, and where they end.

Lyu, Li, Wang & Arora 2021 (arXiv 2110.13905), Figure 1.
"""

from typing import Literal, Self

from pydantic import model_validator

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

PanelName = Literal["symmetric", "positive", "hinted"]
PANELS: tuple[PanelName, ...] = ("symmetric", "positive", "hinted")


class Setting(Settings):
    """What networks are trained on, from which weights, and how."""

    data: SetName = setting("points; the panel's own unless a control exchanges them")
    scales: Distinct[InitialScale] = setting("standard deviations of the weights at the start, the drawn one first")
    hints: Hints = setting("the hints of the hinted points", default=Hints())
    training: Training = setting("the two stages of training")


class Panel(Setting):
    """A panel of the figure: a set of points and its runs."""

    widths: Distinct[Width] = setting("neurons; the figure shows the last")


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

    symmetric: Panel | None = setting("points and their negatives", default=None)
    positive: Panel | None = setting("points without symmetry, with positive support vectors", default=None)
    hinted: Panel | None = setting("four symmetric points and three hints", default=None)
    seeds: int = setting("independent starts", ge=1)

    @model_validator(mode="after")
    def there_is_a_panel(self) -> Self:
        """Refuse a figure without panels."""
        if not self.panels():
            raise ValueError(f"give at least one of the panels {', '.join(PANELS)}")
        return self

    def panels(self) -> dict[PanelName, Panel]:
        """The panels that there are, in the order of the figure."""
        given = {name: getattr(self, name) for name in PANELS}
        return {name: panel for name, panel in given.items() if panel}


class Point(Shared, Setting):
    """What determines a cell."""

    panel: PanelName
    width: Width


_SHARED = (
    Column("panel", "string", "", "symmetric, positive or hinted"),
    Column("data", "string", "", "points: those of the panel, or what a control put in their place"),
    Column("width", "int64", "units", "neurons of the network"),
)
_RUN = (
    *_SHARED,
    Column("scale", "float64", "", "standard deviation of the weights at the start"),
    Column("seed", "int64", "", "seed of the start"),
    Column("moment", "string", "", "start: untrained; early: after plain descent; late: after the normalised steps"),
    Column(
        "signs", "string", "",
        "signs of the b_k = (a_k + <w_k, mu>) / 2 at the start, mu the direction of the mean of y x: both, positive or "
        "negative",
    ),
)  # fmt: skip
LOG = {
    "runs": (
        *_RUN,
        Column("margin", "float64", "", "normalised margin min_i y_i f(x_i) / |theta|^2"),
        Column("best_low", "float64", "", "normalised margin of the best network: certified lower bound"),
        Column("best_high", "float64", "", "normalised margin of the best network: certified upper bound"),
        Column("best_linear", "float64", "", "normalised margin of the best network that is linear"),
        Column("best_neuron", "float64", "", "normalised margin of the best network of one neuron with a > 0"),
        Column("bend", "float64", "", "|f - c| / |f| on the circle, c the linear function nearest to f"),
        Column("positive_mass", "float64", "", "share of neurons with a > 0 in sum_k |a_k| |w_k|"),
        Column("off_line", "float64", "deg", "largest angle of the boundary f = 0 with the line of the largest margin"),
    ),
    "directions": (
        *_RUN,
        Column("reference", "string", "", "svm: direction of the largest margin; mean: that of the mean of y x"),
        Column("cosine", "float64", "", "cosine of the linear part of f and the reference"),
    ),
    "neurons": (
        *_RUN,
        Column("first", "float64", "", "first coordinate of |a_k| w_k / |theta|^2"),
        Column("second", "float64", "", "second coordinate of |a_k| w_k / |theta|^2"),
        Column("positive", "bool", "", "whether a_k > 0"),
    ),
    "rays": (
        *_RUN,
        Column("curve", "string", "", "network: f = 0; best: f = 0 of the best network; svm: the best line"),
        Column("angle", "float64", "rad", "angle of a ray from the origin"),
    ),
    "points": (
        *_SHARED,
        Column("seed", "int64", "", "seed; all have the same points"),
        Column("x1", "float64", "", "first coordinate of a point"),
        Column("x2", "float64", "", "second coordinate of a point"),
        Column("label", "float64", "", "label, +1 or -1"),
    ),
}
SEED_BLOCK = 16


def cells(params: Params) -> list[Point]:
    """One cell for each panel and width, the widest first: it takes the longest."""
    return [
        point(Point, params, panel=name, width=width, **{key: getattr(panel, key) for key in Setting.model_fields})
        for name, panel in params.panels().items()
        for width in sorted(panel.widths, reverse=True)
    ]
