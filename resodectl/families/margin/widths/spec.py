"""Margins of both layers by width beside the largest of any width, and of the output layer beside infinite width.

Chizat & Bach 2020 (arXiv 2002.04486).
"""

from typing import Literal, Self

from pydantic import model_validator

from resodectl.experiment.choices import Distinct, Dtype, Rate, Width
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting
from resodectl.families.margin.samples import Dim, Labelling, SampleSize, Steps

Method = Literal["both", "output", "largest-both", "largest-output"]


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    sample_size: SampleSize = setting("number n of training samples", unit="samples")
    discs: int = setting("discs in a row of the hidden plane, so that there are as many squared", ge=2, default=3)
    labelling: Labelling = setting("how labels are given; drawn in the paper", default="drawn")
    lr: Rate = setting("step size: the step t is lr m grad S / sqrt(t + 1)", default=0.5)
    steps: Distinct[Steps] = setting("numbers of steps after which the margin is recorded", unit="steps")
    search_width: Width = setting(
        "units of the network whose directions start the search for the largest margin of both layers", default=128
    )
    search_steps: Steps = setting("steps of that network", default=2000)
    search_rounds: int = setting("rounds of the search, at most", ge=2, default=20)
    tolerance: float = setting("relative gap between the bounds at which the search ends", gt=0.0, lt=1.0, default=0.01)
    dtype: Dtype = setting("floating-point type of training; all else is float64", default="float32")


class Params(Shared):
    """What a recipe sets."""

    dims: Distinct[Dim] = setting("numbers d of coordinates, the constant one included", unit="coordinates")
    widths: Distinct[Width] = setting("widths m of networks whose layers are both trained", unit="units")
    output_widths: Distinct[Width] = setting("widths m of networks whose output layer is solved for", unit="units")
    seeds: int = setting("draws of labels, samples and first weights", ge=1)

    @model_validator(mode="after")
    def steps_rise(self) -> Self:
        """Refuse numbers of steps that do not rise."""
        if list(self.steps) != sorted(self.steps):
            raise ValueError("steps: list the numbers of steps in rising order")
        return self


class Point(Shared):
    """What determines a cell; the width is 0 for the largest margins that the others are compared with."""

    dim: int
    method: Method
    width: int


LOG = {
    "margins": (
        Column("dim", "int64", "", "number d of coordinates, the constant one included"),
        Column(
            "method",
            "string",
            "",
            "both layers trained, output layer solved for, the largest margin of both layers at any width, or that of "
            "the output layer at infinite width",
        ),
        Column("width", "int64", "units", "width m; 0 is any width of both layers, infinite width of the output layer"),
        Column("seed", "int64", "", "draw of labels, samples and first weights"),
        Column("step", "int64", "steps", "steps done; 0 where nothing is trained"),
        Column("budget", "float64", "", "steps done over those of the whole training; 0 where nothing is trained"),
        Column(
            "margin",
            "float64",
            "",
            "least y f(x) of the training samples over the norm: |W|^2 / m of both layers, largest so far; |b| / "
            "sqrt(m) of the output layer",
        ),
        Column(
            "upper",
            "float64",
            "",
            "what a margin of this method and width cannot pass; for both layers and any width certified for d = 3, "
            "and estimated else; NaN for a trained network",
        ),
    ),
}
SEED_BLOCK = 8


def cells(params: Params) -> list[Point]:
    """One cell for each dimension, method and width."""
    settings: list[tuple[Method, tuple[int, ...]]] = [
        ("largest-both", (0,)),
        ("both", params.widths),
        ("largest-output", (0,)),
        ("output", params.output_widths),
    ]
    return [
        point(Point, params, dim=dim, method=method, width=width)
        for dim in params.dims
        for method, widths in settings
        for width in widths
    ]
