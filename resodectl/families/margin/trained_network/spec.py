"""Normalised margins of a network without biases while an optimiser trains it, epsilon inside or outside the root.

Wang, Meng, Chen & Liu 2021 (arXiv 2012.06244), MNIST study. Theory has h = (epsilon + G)^(-1/2); torch.optim, which the
published script uses, has 1 / (epsilon + G^(1/2)).
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from resodectl.experiment.choices import Dtype, Rate, Width
from resodectl.experiment.columns import Column
from resodectl.experiment.outside import DataSet
from resodectl.experiment.settings import Settings, point, setting
from resodectl.training.settings import check_size

Data = Annotated[Literal["digits", "mnist-10k", "mnist"], DataSet()]


class PerceptronModel(Settings):
    """Fully connected ReLU layers without biases."""

    kind: Literal["perceptron"]
    hidden: tuple[Width, ...] = setting("units of the hidden layers", min_length=1)


class ConvolutionalModel(Settings):
    """Two convolutions and two matrices without biases, for images of 28 x 28 pixels."""

    kind: Literal["convolutional"]


Model = Annotated[PerceptronModel | ConvolutionalModel, Field(discriminator="kind")]


class Trained(Settings):
    """An optimiser, where it adds epsilon, and its learning rate."""

    optimiser: Literal["momentum", "adagrad", "scalar-adagrad", "rmsprop", "adam", "adam-momentum"] = setting(
        "optimiser; adam is without momentum, and scalar-adagrad takes AdaGrad's conditioner of the mean sum of "
        "squares for all coordinates"
    )
    epsilon_at: Literal["inside", "outside"] = setting("whether epsilon is added inside or outside the root")
    lr: Rate = setting("learning rate")
    epsilon: float = setting("epsilon", ge=0.0, le=1.0)


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    data: Data = setting("the data set")
    images: int = setting("training images", ge=2)
    model: Model = setting("the network")
    beta: float = setting("decay of the mean of squared gradients of RMSProp and Adam", ge=0.0, lt=1.0, default=0.9)
    momentum: float = setting("momentum of momentum and adam-momentum", ge=0.0, lt=1.0, default=0.9)
    batch: int = setting("images in a batch", ge=1)
    epochs: int = setting("passes over the training images", unit="epochs", ge=1)
    every: int = setting("epochs from one record to the next", unit="epochs", ge=1)
    dtype: Dtype = setting("floating-point type")

    @model_validator(mode="after")
    def the_network_reads_the_images(self) -> Self:
        """Refuse images of another size than the network reads, and more of them than there are."""
        if self.model.kind == "convolutional" and self.data == "digits":
            raise ValueError("model: convolutional reads images of 28 x 28 pixels (mnist, mnist-10k), not digits")
        check_size("images", self.data, self.images)
        if self.batch > self.images:
            raise ValueError(f"batch: there are only {self.images} training images")
        return self


class Params(Shared):
    """What a recipe sets."""

    runs: tuple[Trained, ...] = setting("what is trained", min_length=1)
    seeds: int = setting("independent initialisations", ge=1)

    @model_validator(mode="after")
    def the_log_tells_runs_apart(self) -> Self:
        """Refuse two runs of one optimiser with epsilon at one place."""
        if len({(run.optimiser, run.epsilon_at) for run in self.runs}) < len(self.runs):
            raise ValueError("runs: give each optimiser once with epsilon inside and once outside the root at most")
        return self


class Point(Shared):
    """What determines a cell."""

    run: Trained


LOG = {
    "records": (
        Column("optimiser", "string", "", "optimiser"),
        Column("epsilon_at", "string", "", "whether epsilon is added inside or outside the root"),
        Column("lr", "float64", "", "learning rate"),
        Column("seed", "int64", "", "seed of the initialisation and of the order of the images"),
        Column("epoch", "int64", "epochs", "epochs done"),
        Column("train_loss", "float64", "nats", "mean cross-entropy over the training images"),
        Column("train_accuracy", "float64", "", "share of right answers on the training images"),
        Column("test_accuracy", "float64", "", "share of right answers on the test images"),
        Column("margin", "float64", "", "smallest margin of a training image over |w|^L, L the number of layers"),
        Column("diverged", "bool", "", "whether the loss is no longer finite"),
    )
}
SEED_BLOCK = 8


def cells(params: Params) -> list[Point]:
    """One cell for each optimiser and place of epsilon."""
    return [point(Point, params, run=run) for run in params.runs]
