"""Sharpness along normalised descent and its limiting flow on a network with one-hot targets.

Arora, Li & Panigrahi 2022 (arXiv 2205.09745): time is s = lr^2 t / 4, the flow is dX/ds = -P grad log lambda_1, and
L = (1/n) sum_i |f(x_i) - y_i|^2.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from resodectl.experiment.choices import Distinct, Dtype, FlowAblation, Rate, Width
from resodectl.experiment.columns import Column
from resodectl.experiment.outside import DataSet
from resodectl.experiment.settings import Settings, point, setting
from resodectl.training.settings import check_size

RateToOne = Annotated[Rate, Field(le=1.0)]
Path = Literal["flow", "normalised"]
Ablation = Literal[FlowAblation, "plain-descent"]


class Approach(Settings):
    """Gradient descent from the first weights to where both paths begin."""

    lr: RateToOne = setting("learning rate")
    steps: int = setting("most steps that are taken", ge=0)
    until: float | None = setting("loss at which the approach ends earlier; null: never", gt=0.0, default=None)


class GaussNewtonWay(Settings):
    """Gradients are projected on the tangent space; points move along the normal space until the loss vanishes."""

    kind: Literal["gauss-newton"]


class DescentWay(Settings):
    """Gradient descent after every step of the flow, as in the paper; its limit stands for the projection too."""

    kind: Literal["descent"]
    lr: RateToOne = setting("learning rate")
    steps: int = setting("steps", ge=1)


class Flow(Settings):
    """The integration of the flow."""

    scheme: Literal["euler", "midpoint"] = setting("the scheme of integration")
    step: float = setting("step of the scheme", unit="s", gt=0.0)


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    data: Annotated[Literal["digits", "mnist"], DataSet()] = setting("the data set")
    samples: int = setting("training images: the first ones of digits, random ones of MNIST", ge=2)
    hidden: tuple[Width, ...] = setting("widths of the hidden layers of GELU units")
    approach: Approach = setting("the approach to the minimisers")
    retraction: Annotated[GaussNewtonWay | DescentWay, Field(discriminator="kind")] = setting(
        "how points are brought to the minimisers"
    )
    flow: Flow = setting("how the flow is integrated")
    horizon: float = setting("how long both paths are followed", unit="s = lr^2 t / 4", gt=0.0)
    records: int = setting("rows of a path after the first", ge=1)
    ablation: Ablation = setting(
        "what is wrong on purpose, or none: double-time takes the flow at twice the speed, no-retraction takes it "
        "without retraction, ambient-flow without projection too (if the retraction is descent it is both), "
        "plain-descent is not normalised and has the approach's learning rate",
        default="none",
    )
    dtype: Dtype = setting("floating-point type", default="float64")


class Params(Shared):
    """What a recipe sets."""

    lrs: Distinct[RateToOne] = setting("learning rates of normalised descent")
    seeds: int = setting("independent networks", ge=1)

    @model_validator(mode="after")
    def there_are_images(self) -> Self:
        """Refuse more images than the data set has."""
        check_size("samples", self.data, self.samples)
        return self

    @model_validator(mode="after")
    def records_fall_on_steps(self) -> Self:
        """Refuse records between two steps of the flow, and several records in a step of descent."""
        between = self.horizon / self.records
        ratio = between / self.flow.step
        if ratio < 0.5 or abs(ratio - round(ratio)) > 1e-9 * ratio:
            raise ValueError(f"flow: records are {between:g} apart, no multiple of the step {self.flow.step:g}")
        for lr in self.lrs:
            if 4 * between / lr**2 < 1:
                raise ValueError(f"lrs: {lr:g} makes less than a step between two records")
        return self


class Point(Shared):
    """What determines a cell."""

    path: Path
    lr: float


_SHARED = (
    Column("path", "string", "", "flow, or normalised descent"),
    Column("lr", "float64", "", "learning rate of normalised descent; 0 for the flow, its limit"),
    Column("seed", "int64", "", "seed of the first weights"),
    Column("s", "float64", "s", "time: lr^2 t / 4 after t steps of descent"),
)
LOG = {
    "curves": (
        *_SHARED,
        Column(
            "sharpness", "float64", "", "lambda_1 of Hess L at the minimiser to which the retraction brings the path"
        ),
        Column("gap", "float64", "", "lambda_2 / lambda_1 at that minimiser"),
        Column("residual", "float64", "", "bound on the distance of lambda_1 to an eigenvalue, relative to it"),
        Column("landed_loss", "float64", "", "L at that minimiser"),
        Column("loss", "float64", "", "L on the path itself"),
        Column("test_error", "float64", "%", "share of wrong answers on the test images, on the path itself"),
        Column("diverged", "bool", "", "whether L on the path is no longer finite"),
    ),
}
SEED_BLOCK = 2


def cells(params: Params) -> list[Point]:
    """One cell for the flow, and one for each learning rate; an ablation is given to the path that it changes."""
    of_descent = params.ablation == "plain-descent"
    flow, descent = ("none", params.ablation) if of_descent else (params.ablation, "none")
    return [
        point(Point, params, path="flow", lr=0.0, ablation=flow),
        *(point(Point, params, path="normalised", lr=lr, ablation=descent) for lr in params.lrs),
    ]
