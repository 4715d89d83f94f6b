"""Distances from the start and from the linearised model's training, by the scale alpha of the output.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), the theorem on a finite horizon: with h(w0) = 0 and alpha -> inf,
sup |w - w0| = O(1/alpha), sup |w - wbar| = O(1/alpha^2), sup |alpha h(w) - alpha hbar(wbar)| = O(1/alpha).
"""

from itertools import product
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from resodectl.experiment.choices import Distinct, Dtype, Width
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting
from resodectl.families.lazy.students import ActivationName

# How the output is made zero at the start: by subtracting it, by pairs of units that cancel, or not at all.
Start = Literal["centred", "doubled", "uncentred"]

Scale = Annotated[float, Field(gt=0.0)]
Time = Annotated[float, Field(gt=0.0)]


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    alphas: Distinct[Scale] = setting("scales alpha of the output")
    dim: int = setting("coordinates d of the inputs", ge=2)
    sample_size: int = setting("number n of training samples", unit="samples", ge=1)
    width: Width = setting("units m of the student, both copies of a doubled one counted", unit="units")
    times: Distinct[Time] = setting("times of the flow up to which the distances are taken; the last is the horizon")
    step: float = setting("step size of Euler's method, in time", gt=0.0)
    dtype: Dtype = setting("floating-point type", default="float64")


class Params(Shared):
    """What a recipe sets."""

    activations: Distinct[ActivationName] = setting("activations of the student; the teacher's is relu")
    starts: Distinct[Start] = setting("how the output is made zero at the start: centred, doubled, or not at all")
    seeds: int = setting("draws of inputs, teacher and first weights", ge=1)

    @model_validator(mode="after")
    def sizes_fit(self) -> Self:
        """Refuse an odd width that is to be doubled, and times that Euler's method does not reach in their order."""
        if "doubled" in self.starts and self.width % 2:
            raise ValueError("width: a doubled student has an even number of units")
        if list(self.times) != sorted(self.times):
            raise ValueError("times: list them in rising order")
        for time in self.times:
            if round(time / self.step) < 1 or abs(time / self.step - round(time / self.step)) > 1e-6:
                raise ValueError(f"times: {time:g} is not a whole number of steps of {self.step:g}")
        return self


class Point(Shared):
    """What determines a cell."""

    activation: ActivationName
    start: Start


LOG = {
    "gaps": (
        Column("activation", "string", "", "activation of the student"),
        Column("start", "string", "", "how the output is made zero at the start: centred, doubled or uncentred"),
        Column("seed", "int64", "", "draw of inputs, teacher and first weights"),
        Column("alpha", "float64", "", "scale of the output"),
        Column("time", "float64", "", "time of the flow up to which the distances are taken"),
        Column("movement", "float64", "", "largest |w - w0| until then"),
        Column("parameter_gap", "float64", "", "largest |w - wbar| until then; wbar: of the linearised model"),
        Column("output_gap", "float64", "", "largest rms of alpha h(w) - alpha hbar(wbar) over samples until then"),
        Column("limit_movement", "float64", "", "limit of alpha |w - w0| at the horizon: the kernel's closed form"),
        Column(
            "limit_parameter_gap", "float64", "", "limit of alpha^2 |w - wbar|, largest until the horizon: 2nd order"
        ),
        Column(
            "limit_output_gap", "float64", "", "limit of alpha times the output gap, largest until the horizon"
        ),
    ),
}  # fmt: skip
SEED_BLOCK = 24


def cells(params: Params) -> list[Point]:
    """One cell for each activation and start; it has all scales."""
    return [
        point(Point, params, activation=activation, start=start)
        for activation, start in product(params.activations, params.starts)
    ]
