"""Population loss of SGD on fresh samples by the scale tau of the first weights.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), Figure 2b.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from resodectl.experiment.choices import Distinct, Dtype, Rate, Width
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    init_scales: Distinct[Annotated[float, Field(gt=0.0)]] = setting(
        "init scales tau, standard deviations of all weights at the start"
    )
    dim: int = setting("coordinates d of the inputs", ge=2, default=100)
    width: Width = setting("units m of the student, both copies counted", unit="units", default=50)
    batch: int = setting("fresh samples of a step", unit="samples", ge=1, default=200)
    teacher_divisor: float = setting("what the teacher is divided by; the size of the batch in the paper", gt=0.0)
    lr: Rate = setting("learning rate at tau = 1; it falls like tau^-2", default=0.25)
    largest_lr: Rate = setting("largest learning rate, that of all small tau", default=25.0)
    steps: int = setting("steps of SGD", unit="steps", ge=1)
    window: int = setting("steps that a loss is averaged over", unit="steps", ge=1)
    dtype: Dtype = setting("floating-point type", default="float32")

    @model_validator(mode="after")
    def sizes_fit(self) -> Self:
        """Refuse an odd number of units, which cannot be doubled, and steps that are no whole number of windows."""
        if self.width % 2:
            raise ValueError("width: a doubled student has an even number of units")
        if self.steps % self.window:
            raise ValueError(f"steps: {self.steps} is no multiple of window ({self.window})")
        return self


class Params(Shared):
    """What a recipe sets."""

    averaged: int = setting("last steps that the loss of the figure is averaged over", unit="steps", ge=1)
    seeds: int = setting("draws of teacher, samples and first weights", ge=1)

    @model_validator(mode="after")
    def averages_fit(self) -> Self:
        """Refuse an average over more steps than there are, or over a part of a window."""
        if self.averaged > self.steps or self.averaged % self.window:
            raise ValueError(f"averaged: give a multiple of window ({self.window}), at most steps ({self.steps})")
        return self


class Point(Shared):
    """What determines a cell: it has all init scales."""


LOG = {
    "losses": (
        Column("init_scale", "float64", "", "init scale tau"),
        Column("seed", "int64", "", "draw of teacher, samples and first weights"),
        Column("step", "int64", "steps", "steps done"),
        Column(
            "population_loss",
            "float64",
            "",
            "half the mean squared error on fresh samples, over the last window; at step 0 that of one batch",
        ),
        Column("null_loss", "float64", "", "the same of f = 0 on the same samples"),
    ),
}
SEED_BLOCK = 4


def cells(params: Params) -> list[Point]:
    """One cell for all init scales."""
    return [point(Point, params)]
