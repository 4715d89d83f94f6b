"""Loss, sharpness and stableness of full-batch descent: Arora, Li & Panigrahi 2022 (arXiv 2205.09745), Figure 3.

L = mean_i |f(x_i) - y_i|^2, y_i one-hot. Normalised descent steps by lr grad L / |grad L|, that is with the step
lr / |grad L|; descent on sqrt(L) by lr grad sqrt(L); plain descent by lr grad L. The stableness S of a step is that
step times lambda_1 of the Hessian of what is descended, at its start or the largest of several points on the way: a
quadratic is left if and only if S > 2.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from resodectl.experiment.choices import Algorithm, DataName, Dtype, Width
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting
from resodectl.training.settings import check_size


class PerceptronModel(Settings):
    """A perceptron with GELU, all its layers trained, from torch's default law: it stands in for VGG-11."""

    kind: Literal["perceptron"]
    hidden: tuple[Width, ...] = setting("units of the hidden layers", min_length=1)


class VggModel(Settings):
    """The paper's VGG-11: GELU, average pooling, no batch normalisation, the last layer not trained."""

    kind: Literal["vgg"]
    micro_batch: int = setting("images at a time; the result does not depend on it, the memory does", ge=1)


Model = Annotated[PerceptronModel | VggModel, Field(discriminator="kind")]


class Run(Settings):
    """One algorithm with one learning rate."""

    algorithm: Literal[Algorithm, "gradient"] = setting("normalised descent, descent on sqrt(L), or plain descent")
    lr: float = setting("learning rate", gt=0.0)
    steps: int = setting("steps of training", ge=2)
    every: int = setting(
        "steps from one record to the next; a record is of two steps in a row; early ones are at 1/2, 1/4, ... of it",
        ge=2,
    )


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    data: DataName = setting("the data set")
    images: int = setting("training images, all in every step", ge=2)
    model: Model = setting("the network")
    segment: int = setting(
        "points of a step, evenly spaced from its start to its end, whose largest lambda_1 makes the stableness",
        ge=1,
        default=1,
    )
    tolerance: float = setting("residual of the two largest eigenvalues, relative to them", gt=0.0, le=0.1)
    dtype: Dtype = setting("floating-point type")

    @model_validator(mode="after")
    def the_network_reads_the_images(self) -> Self:
        """Refuse images of another size than the network reads, and more images than there are."""
        if (self.model.kind == "vgg") != (self.data == "cifar10"):
            raise ValueError("model: vgg reads images of 32 x 32 pixels (cifar10), perceptron those of 8 x 8 (digits)")
        check_size("images", self.data, self.images)
        return self


class Params(Shared):
    """What a recipe sets."""

    runs: tuple[Run, ...] = setting("algorithms with their learning rates", min_length=1)
    seeds: int = setting("independent initialisations", ge=1)

    @model_validator(mode="after")
    def runs_can_be_told_apart(self) -> Self:
        """Refuse two runs of one algorithm with one learning rate."""
        if len({(run.algorithm, run.lr) for run in self.runs}) < len(self.runs):
            raise ValueError("runs: an algorithm is given twice with one learning rate")
        return self


class Point(Shared, Run):
    """What determines a cell."""


LOG = {
    "steps": (
        Column("algorithm", "string", "", "normalised, square-root or gradient"),
        Column("lr", "float64", "", "learning rate"),
        Column("seed", "int64", "", "seed of the initialisation"),
        Column("pair", "int64", "", "number of the record, from 0"),
        Column("step", "int64", "steps", "steps done; a record is a pair of two steps in a row"),
        Column("fraction", "float64", "", "share of the run's steps that are done at the first step of the pair"),
        Column("train_loss", "float64", "", "L, the mean over images of the squared error summed over classes"),
        Column("gradient_norm", "float64", "", "norm of the gradient of L"),
        Column("sharpness", "float64", "", "lambda_1 of the Hessian of L"),
        Column("second", "float64", "", "lambda_2 of the Hessian of L"),
        Column("residual", "float64", "", "bound on the distance of lambda_1 and of lambda_2 to an eigenvalue"),
        Column("rayleigh", "float64", "", "g^T H g / |g|^2, the curvature of L along its gradient"),
        Column("stableness", "float64", "", "S: the step times the largest lambda_1 of what is descended on the step"),
        Column("turn", "float64", "", "cosine of this step's gradient and the next one's; NaN at a pair's second step"),
        Column("diverged", "bool", "", "whether the loss is no longer finite"),
    )
}
SEED_BLOCK = 16


def cells(params: Params) -> list[Point]:
    """One cell for each algorithm and learning rate."""
    return [point(Point, params, **dict(run)) for run in params.runs]


def recorded(steps: int, every: int) -> tuple[int, ...]:
    """The first steps of the pairs that are recorded: 0, ..., every / 4, every / 2, every, 2 every, ..., below `steps`.

    The halvings are for phase I, which is short.
    """
    early, half = [], every // 2
    while half >= 2:
        early.append(half)
        half //= 2
    return tuple(step for step in (0, *early[::-1], *range(every, steps, every)) if step < steps)
