"""Two-layer ReLU networks that learn a teacher of three units, by the scale tau of their first weights.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), Figure 1c.
"""

from typing import Literal, Self

from pydantic import model_validator

from resodectl.experiment.choices import Distinct, Dtype, Rate, Width
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting
from resodectl.families.lazy.choices import InitScale, Layers

Model = Literal["network", "lazy"]
Start = Literal["doubled", "plain"]

FLOAT64_FROM = 3.0
"""The init scale from which steps are so small beside the weights that float32 loses them."""


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    init_scales: Distinct[InitScale] = setting("init scales tau, standard deviations of all weights at the start")
    dim: int = setting("number d of coordinates of an input", ge=2, default=100)
    samples: int = setting("training samples", unit="samples", ge=1, default=1000)
    test: int = setting("test samples", unit="samples", ge=1, default=1000)
    width: Width = setting("hidden units m, copies included", unit="units", default=50)
    start: Start = setting(
        "doubled: each unit has a copy with the opposite output weight, so that the output is zero; plain: no copies",
        default="doubled",
    )
    lr: Rate = setting("learning rate at tau = 1; it falls like tau^-2", default=0.1)
    largest_lr: Rate = setting("largest learning rate, that of all small tau", default=10.0)
    steps: int = setting("steps of full-batch gradient descent", unit="steps", ge=1)
    every: int = setting("steps between two records of the losses", unit="steps", ge=1, default=100)
    layers: Layers = setting(
        "whose gradients the kernel of the lazy limit has: both layers', or the hidden one's alone", default="both"
    )
    dtype: Dtype = setting("floating-point type below tau = 3; all else is float64", default="float32")

    @model_validator(mode="after")
    def sizes_fit(self) -> Self:
        """Refuse an odd number of units that are to be doubled, and steps that no record ends."""
        if self.start == "doubled" and self.width % 2:
            raise ValueError(f"width: {self.width} units cannot be doubled; give an even number")
        if self.steps % self.every:
            raise ValueError(f"steps: {self.steps} is no multiple of every ({self.every})")
        return self


class Params(Shared):
    """What a recipe sets."""

    seeds: int = setting("draws of teacher, samples and first weights", ge=1)


class Point(Shared):
    """What determines a cell: runs of one floating-point type, or their lazy limit."""

    model: Model


LOG = {
    "curves": (
        Column("model", "string", "", "network, or lazy: gradient descent on its linearisation, in closed form"),
        Column("init_scale", "float64", "", "init scale tau"),
        Column("seed", "int64", "", "draw of teacher, samples and first weights"),
        Column("step", "int64", "steps", "steps done"),
        Column("train_loss", "float64", "", "half the mean squared error on the training samples"),
        Column("test_loss", "float64", "", "half the mean squared error on the test samples"),
    )
}
SEED_BLOCK = 2


def cells(params: Params) -> list[Point]:
    """The networks with small tau, those with large tau, and the lazy limit of all."""
    groups = {
        params.dtype: tuple(tau for tau in params.init_scales if tau < FLOAT64_FROM),
        "float64": tuple(tau for tau in params.init_scales if tau >= FLOAT64_FROM or params.dtype == "float64"),
    }
    points = [
        point(Point, params, model="network", init_scales=scales, dtype=dtype, layers="both")
        for dtype, scales in groups.items()
        if scales
    ]
    return [*points, point(Point, params, model="lazy", dtype="float64")]
