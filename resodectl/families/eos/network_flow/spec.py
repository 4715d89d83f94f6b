"""What may be asked of normalised descent and its limiting flow on a network with one-hot targets.

Arora, Li & Panigrahi 2022 (arXiv 2205.09745): time is s = lr^2 t / 4, the flow is dX/ds = -P grad log lambda_1, and
L = (1/n) sum_i |f(x_i) - y_i|^2.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Dtype, Settings, setting
from resodectl.training.settings import check_size

SEED_BLOCK = 2

Rate = Annotated[float, Field(gt=0.0, le=1.0)]
Width = Annotated[int, Field(ge=1)]
Path = Literal["flow", "normalised"]
Ablation = Literal["none", "double-time", "ambient-flow", "plain-descent"]


class Approach(Settings):
    """Gradient descent from the first weights to where both paths begin."""

    lr: Rate = setting("learning rate")
    steps: int = setting("steps, at most", ge=0)
    until: float | None = setting("loss at which to stop before", gt=0.0, default=None)


class GaussNewtonRetraction(Settings):
    """Gradients are projected on the tangent space, and points moved along the normal space until the loss vanishes."""

    kind: Literal["gauss-newton"]


class DescentRetraction(Settings):
    """Gradient descent after every step of the flow, as in the paper; its limit also does what the projection does."""

    kind: Literal["descent"]
    lr: Rate = setting("learning rate")
    steps: int = setting("steps", ge=1)


class Flow(Settings):
    """How the flow is integrated."""

    scheme: Literal["euler", "midpoint"] = setting("the scheme")
    step: float = setting("its step", unit="s", gt=0.0)


class Shared(Settings):
    data: Literal["digits", "mnist"] = setting("the data set")
    samples: int = setting("training images: the first ones of digits, random ones of MNIST", ge=2)
    hidden: tuple[Width, ...] = setting("widths of the hidden layers of GELU units")
    approach: Approach = setting("the approach to the minimisers")
    retraction: Annotated[GaussNewtonRetraction | DescentRetraction, Field(discriminator="kind")] = setting(
        "the way to the minimisers"
    )
    flow: Flow = setting("integration of the flow")
    horizon: float = setting("how long", unit="s = lr^2 t / 4", gt=0.0)
    records: int = setting("rows of a path after the first", ge=1)
    ablation: Ablation = setting(
        "a formula that is wrong on purpose: the flow at twice the speed, or without projection and retraction, or "
        "descent without normalisation at the approach's learning rate",
        default="none",
    )
    dtype: Dtype = setting("floating-point type", default="float64")


class Params(Shared):
    lrs: tuple[Rate, ...] = setting("learning rates of normalised descent", min_length=1)
    seeds: int = setting("independent networks", ge=1)

    @model_validator(mode="after")
    def there_are_images(self) -> Self:
        check_size("samples", self.data, self.samples)
        return self

    @model_validator(mode="after")
    def records_fall_on_steps(self) -> Self:
        between = self.horizon / self.records
        ratio = between / self.flow.step
        if ratio < 0.5 or abs(ratio - round(ratio)) > 1e-9 * ratio:
            raise ValueError(f"flow: records are {between:g} apart, no multiple of the step {self.flow.step:g}")
        for lr in self.lrs:
            if 4 * between / lr**2 < 1:
                raise ValueError(f"lrs: {lr:g} makes less than a step between two records")
        return self


class Point(Shared):
    path: Path
    lr: float


_OF_PATH = (
    Column("path", "string", "", "flow, or normalised descent"),
    Column("lr", "float64", "", "learning rate of normalised descent; 0 for the flow, its limit"),
    Column("seed", "int64", "", "seed of the first weights"),
    Column("s", "float64", "s", "lr^2 t / 4"),
)
LOG = {
    "curves": (
        *_OF_PATH,
        Column("sharpness", "float64", "", "lambda_1 of Hess L where the retraction lands from the path"),
        Column("gap", "float64", "", "lambda_2 / lambda_1 there"),
        Column("residual", "float64", "", "an eigenvalue is at most so far from lambda_1, relative to it"),
        Column("landed_loss", "float64", "", "L there"),
        Column("loss", "float64", "", "L on the path itself"),
        Column("test_error", "float64", "%", "share of wrong answers on the test images, on the path itself"),
        Column("diverged", "bool", "", "whether L on the path is no longer finite"),
    ),
}


def cells(params: Params) -> list[Point]:
    """The flow, and normalised descent at each rate; an ablation is kept from the path that it does not change."""
    shared = {name: getattr(params, name) for name in Shared.model_fields}
    of_descent = params.ablation == "plain-descent"
    flow = shared | {"ablation": "none" if of_descent else params.ablation}
    descent = shared | {"ablation": params.ablation if of_descent else "none"}
    return [
        Point(path="flow", lr=0.0, **flow),
        *(Point(path="normalised", lr=lr, **descent) for lr in params.lrs),
    ]
