"""Sharpness of normalised networks under weight decay: Lyu, Li & Arora 2022 (arXiv 2206.07085), Figure 1.

w' = (1 - h l) w - h grad L(w), L invariant to the scale of w, is on the sphere descent with the effective step
eta = h / ((1 - h l) |w|^2). Its edge of stability is lambda = 2 / eta, lambda the spherical sharpness, that of L at
w / |w|.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from resodectl.experiment.choices import DataName, Distinct, Dtype, Width
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting
from resodectl.training.settings import check_size

Decay = Annotated[float, Field(ge=0.0)]


class NormalisedPerceptronModel(Settings):
    """linear - BN - softplus for every hidden layer, then an untrained linear layer; a stand-in for VGG-11."""

    kind: Literal["normalised-perceptron"]
    hidden: tuple[Width, ...] = setting("units of the hidden layers", min_length=1)


class NormalisedVggModel(Settings):
    """VGG-11 with batch normalisation, softplus and average pooling; the last layer is not trained."""

    kind: Literal["normalised-vgg"]


Model = Annotated[NormalisedPerceptronModel | NormalisedVggModel, Field(discriminator="kind")]


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    data: DataName = setting("the data set")
    images: int = setting("training images, all in every step", ge=2)
    curvature_images: int = setting("training images on which the sharpness is taken, the first ones", ge=2)
    micro_batch: int = setting("images at a time; batch normalisation takes its statistics over them alone", ge=2)
    model: Model = setting("the network")
    logit_scale: float = setting("what the outputs are multiplied by before the cross-entropy", gt=0.0)
    lr: float = setting("learning rate h", gt=0.0)
    steps: int = setting("steps of training", ge=2)
    every: int = setting("steps from one record to the next; a record is of two steps in a row", ge=2)
    tolerance: float = setting("residual of the sharpness, relative to it", gt=0.0, le=0.1)
    dtype: Dtype = setting("floating-point type")

    @model_validator(mode="after")
    def the_network_reads_the_images(self) -> Self:
        """Refuse images of another size than the network reads, more of them than there are, and batches of one."""
        if (self.model.kind == "normalised-vgg") != (self.data == "cifar10"):
            raise ValueError(
                "model: normalised-vgg reads images of 32 x 32 pixels (cifar10), normalised-perceptron those of 8 x 8 "
                "(digits)"
            )
        check_size("images", self.data, self.images)
        for name in ("curvature_images", "micro_batch"):
            if getattr(self, name) > self.images:
                raise ValueError(f"{name}: there are only {self.images} training images")
        if self.images % self.micro_batch == 1 or self.curvature_images % self.micro_batch == 1:
            raise ValueError("micro_batch: a single image would be left, which cannot be normalised")
        return self


class Params(Shared):
    """What a recipe sets."""

    weight_decays: Distinct[Decay] = setting("weight decays l")
    seeds: int = setting("independent initialisations", ge=1)

    @model_validator(mode="after")
    def weights_are_not_reversed(self) -> Self:
        """Refuse decay that changes the sign of the weights."""
        if self.lr * max(self.weight_decays) >= 1:
            raise ValueError("weight_decays: lr * weight_decay must be below 1")
        return self


class Point(Shared):
    """What determines a cell."""

    weight_decay: Decay
    clock: Decay


LOG = {
    "records": (
        Column("weight_decay", "float64", "", "weight decay l"),
        Column("seed", "int64", "", "seed of the initialisation"),
        Column("step", "int64", "steps", "steps done, t"),
        Column("time", "float64", "tau", "h l t, with the largest weight decay l of the recipe in all of its runs"),
        Column("train_loss", "float64", "nats", "mean cross-entropy over the training images, mean of two steps"),
        Column("train_accuracy", "float64", "", "share of right answers on the training images"),
        Column("test_accuracy", "float64", "", "share of right answers on the test images"),
        Column("sharpness", "float64", "", "spherical sharpness lambda, mean of two steps"),
        Column(
            "residual",
            "float64",
            "",
            "bound on the distance of the sharpness to an eigenvalue, the larger of two steps",
        ),
        Column("effective_step", "float64", "", "effective step eta, mean of two steps"),
        Column("edge_ratio", "float64", "", "lambda eta / 2, mean of two steps"),
        Column("diverged", "bool", "", "whether a loss is no longer finite"),
    )
}
SEED_BLOCK = 16


def cells(params: Params) -> list[Point]:
    """One cell for each weight decay; the largest one is the clock of all."""
    clock = max(params.weight_decays)
    return [point(Point, params, weight_decay=decay, clock=clock) for decay in params.weight_decays]
