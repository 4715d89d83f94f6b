"""Sharpness along full-batch descent by problem, method and learning rate.

Cohen, Kaur, Li, Kolter & Talwalkar 2021 (arXiv 2103.00065): L = 1/(2n) sum_i |f(x_i) - y_i|^2.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from resodectl.experiment.choices import DataName, Distinct, Dtype, Rate, Width
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting
from resodectl.training.settings import check_size


class Chebyshev(Settings):
    """A Chebyshev polynomial on evenly spaced points of [-1, 1], by a network 1-width-1 of tanh units.

    The first weights are Xavier normal times `gain`, the last ones Xavier normal; biases start at zero, and the
    output has none.
    """

    kind: Literal["chebyshev"]
    degree: int = setting("degree of the polynomial", ge=1)
    points: int = setting("points of [-1, 1]", ge=2, default=20)
    width: int = setting("tanh units", ge=1, default=100)
    gain: float = setting("gain of the first weights", gt=0, default=1.9)

    @property
    def name(self) -> str:
        """What the log calls it."""
        return f"chebyshev-{self.degree}"


class Images(Settings):
    """Classes of images as one-hot targets, by a network of tanh units with torch's default first weights."""

    kind: Literal["images"]
    samples: int = setting("first images of the training set", ge=2)
    hidden: tuple[Width, ...] = setting("widths of the hidden layers")
    scaling: Literal["global", "pixel"] = setting(
        "what centred pixels are divided by: the RMS of all pixels, or the standard deviation of each"
    )

    @property
    def name(self) -> str:
        """What the log calls it."""
        return f"images-{self.samples}"


class Method(Settings):
    """A method of descent with its learning rates, which run side by side."""

    kind: Literal["gradient", "polyak", "nesterov", "flow"] = setting(
        "gradient descent, plain or with the momentum of Polyak or Nesterov, or gradient flow at the times step x lr"
    )
    momentum: float = setting("the momentum beta", ge=0.0, lt=1.0, default=0.0)
    lrs: Distinct[Rate] = setting("learning rates")
    steps: int = setting("steps of descent", ge=1)
    name: str = setting("what the log calls these runs", default="descent", min_length=1)

    @model_validator(mode="after")
    def momentum_has_a_method(self) -> Self:
        """Refuse a momentum that plays no part."""
        if (self.momentum > 0) != (self.kind in ("polyak", "nesterov")):
            raise ValueError(f"methods: '{self.kind}' and momentum {self.momentum:g} do not go together")
        return self


Problem = Annotated[Chebyshev | Images, Field(discriminator="kind")]


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    data: DataName | None = setting("the data set of images", default=None)
    every: int = setting("steps from one record of the sharpness to the next", ge=1)
    tolerance: float = setting("residual of the sharpness, relative to it", gt=0, lt=1)
    stop_accuracy: float | None = setting("share of right answers at which training ends", gt=0, le=1, default=None)
    flow_alpha: float = setting(
        "the flow's Runge-Kutta step is at most flow_alpha / sharpness", gt=0, le=2.7, default=1.0
    )
    flow_cap: float = setting("largest Runge-Kutta step of the flow", gt=0, default=0.5)
    dtype: Dtype = setting("floating-point type", default="float64")


class Params(Shared):
    """What a recipe sets."""

    problems: tuple[Problem, ...] = setting("what is fitted by which network", min_length=1)
    methods: tuple[Method, ...] = setting("the methods of descent", min_length=1)
    seeds: int = setting("independent networks", ge=1)

    @model_validator(mode="after")
    def images_have_data(self) -> Self:
        """Refuse images without a data set, and a data set without images."""
        images = any(problem.kind == "images" for problem in self.problems)
        if images != (self.data is not None):
            raise ValueError("data: name a data set if and only if a problem is of images")
        for problem in self.problems:
            if problem.kind == "images" and self.data is not None:
                check_size("problems", self.data, problem.samples)
        if self.stop_accuracy is not None and not images:
            raise ValueError("stop_accuracy: only images have right answers")
        return self

    @model_validator(mode="after")
    def runs_can_be_told_apart(self) -> Self:
        """Refuse problems, and runs of a method, that have one name in the log."""
        names = [problem.name for problem in self.problems]
        if len(set(names)) < len(names):
            raise ValueError("problems: two have one name in the log, the degree or the number of samples")
        runs = [(method.kind, method.name, method.momentum, lr) for method in self.methods for lr in method.lrs]
        if len(set(runs)) < len(runs):
            raise ValueError("methods: a learning rate is given twice; give the runs different names")
        return self


class Point(Shared):
    """What determines a cell."""

    problem: Problem
    method: Method


LOG = {
    "curves": (
        Column("problem", "string", "", "chebyshev-<degree> or images-<samples>"),
        Column("method", "string", "", "gradient, polyak, nesterov or flow"),
        Column("run", "string", "", "the name that the recipe gives to this method"),
        Column("momentum", "float64", "", "the momentum beta"),
        Column("lr", "float64", "", "learning rate eta; of a flow, the time that counts as one step"),
        Column("seed", "int64", "", "seed of the first weights"),
        Column("step", "int64", "steps", "steps done"),
        Column("loss", "float64", "", "1/(2n) sum_i |f(x_i) - y_i|^2 at this step"),
        Column("mean_loss", "float64", "", "mean loss over the steps since the last record"),
        Column("rises", "float64", "", "share of the steps since the last record that raised the loss"),
        Column("accuracy", "float64", "", "share of right answers; NaN where there are none"),
        Column("sharpness", "float64", "", "largest eigenvalue of the Hessian"),
        Column("residual", "float64", "", "bound on the distance of the sharpness to an eigenvalue"),
        Column("products", "int64", "", "Hessian-vector products that the sharpness took"),
        Column("threshold", "float64", "", "the sharpness above which the method is unstable on a quadratic"),
        Column("phase", "string", "", "before or after the first record with sharpness at or above the threshold"),
        Column("diverged", "bool", "", "whether loss or sharpness is no longer finite"),
    )
}
SEED_BLOCK = 8


def cells(params: Params) -> list[Point]:
    """One cell for each problem and method."""
    return [
        point(Point, params, problem=problem, method=method) for problem in params.problems for method in params.methods
    ]
