"""Test loss of two-layer students by their width m, with the output scaled by 1/sqrt(m) or by 1/m.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), Figure 2a.
"""

from itertools import product
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from resodectl.experiment.choices import Distinct, Dtype, Rate, Width
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting

Steps = Annotated[int, Field(ge=1)]
Scaling = Literal["inverse-root", "inverse"]


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    dim: int = setting("coordinates d of the inputs", ge=2, default=100)
    sample_size: int = setting("number n of training samples, and of test samples", unit="samples", ge=2, default=1000)
    teacher_factor: float = setting("what the teacher is multiplied by", gt=0.0, default=100.0)
    dtype: Dtype = setting("floating-point type", default="float32")


class Descent(Settings):
    """How the students of one scaling are trained."""

    lr: Rate = setting("learning rate times the width m, on the loss over the square of the scale")
    steps: Distinct[Steps] = setting("numbers of steps after which losses are taken, rising", unit="steps")

    @model_validator(mode="after")
    def steps_rise(self) -> Self:
        """Refuse numbers of steps that do not rise."""
        if list(self.steps) != sorted(self.steps):
            raise ValueError("steps: list the numbers of steps in rising order")
        return self


class Params(Shared):
    """What a recipe sets."""

    widths: Distinct[Width] = setting("widths m", unit="units")
    inverse_root: Descent = setting("training of students with the scale 1/sqrt(m)")
    inverse: Descent = setting("training of students with the scale 1/m")
    seeds: int = setting("draws of samples, teacher and first weights", ge=1)


class Point(Shared):
    """What determines a cell."""

    width: Width
    scaling: Scaling
    descent: Descent


LOG = {
    "losses": (
        Column("scaling", "string", "", "scale of the output: inverse-root is 1/sqrt(m), inverse is 1/m"),
        Column("width", "int64", "units", "width m"),
        Column("seed", "int64", "", "draw of samples, teacher and first weights"),
        Column("step", "int64", "steps", "steps done"),
        Column("share_done", "float64", "", "steps done over those of the whole training"),
        Column("train_loss", "float64", "", "half the mean square of the residuals on the training samples"),
        Column("test_loss", "float64", "", "the same on the test samples"),
        Column("null_loss", "float64", "", "half the mean square of the test targets: the test loss of f = 0"),
    ),
}
SEED_BLOCK = 3


def cells(params: Params) -> list[Point]:
    """One cell for each scaling and width, the widest first, so that the longest cells begin first."""
    of: dict[Scaling, Descent] = {"inverse": params.inverse, "inverse-root": params.inverse_root}
    return [
        point(Point, params, width=width, scaling=scaling, descent=descent)
        for width, (scaling, descent) in product(sorted(params.widths, reverse=True), of.items())
    ]
