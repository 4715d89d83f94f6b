"""The networks for images that lazy training is tried on, and how they are trained, as recipes ask for them.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), Figure 3.
"""

from typing import Annotated, Literal

from pydantic import Field

from resodectl.experiment.choices import DataName, Width
from resodectl.experiment.settings import Settings, setting


class PlainNetwork(Settings):
    """3x3 convolutions with ReLUs, max-pooling after each group of them, and one linear layer."""

    kind: Literal["plain"]
    groups: tuple[tuple[Width, ...], ...] = setting("channels of the convolutions of each group", min_length=1)


class ResidualNetwork(Settings):
    """Stages of blocks of two 3x3 convolutions with ReLUs and shortcuts, without normalisation."""

    kind: Literal["residual"]
    stages: tuple[tuple[Width, Width], ...] = setting("channels and blocks of each stage", min_length=1)


NetworkChoice = Annotated[PlainNetwork | ResidualNetwork, Field(discriminator="kind")]

Alpha = Annotated[float, Field(gt=0.0, le=1e9)]


Loss = Literal["mse", "cross-entropy"]


class Fitting(Settings):
    """The data, and the training that all networks of a figure share."""

    data: DataName = setting("the data set")
    images: int | None = setting(
        "random training images, all others being tested with where no split is published; without it, the whole split",
        ge=2,
        default=None,
    )
    loss: Loss = setting(
        "loss R of the scaled outputs: the mean square of their distance from one-hot classes, or cross-entropy"
    )
    batch: int = setting("images in a batch", ge=1)
    momentum: float = setting("momentum", ge=0.0, lt=1.0, default=0.9)
    lr_halved_at: float = setting("epoch e0 of the learning rate lr / (1 + epoch / e0)", unit="epoch", gt=0.0)
    augment: bool = setting("whether training images are randomly cropped (by up to 4 pixels) and mirrored")
