"""The data and trainings that recipes may ask for, as tagged choices."""

from typing import Annotated, Literal

from pydantic import Field

from resodectl.experiment.settings import Settings, setting

DataName = Literal["digits", "cifar10"]

SHAPES: dict[str, tuple[int, int, int]] = {"digits": (1, 8, 8), "cifar10": (3, 32, 32)}
CLASSES = 10  # of either


class Steps(Settings):
    """The learning rate is multiplied by a factor at given epochs."""

    kind: Literal["steps"]
    milestones: tuple[int, ...] = setting("epochs, counted from 0, from which on the factor applies", unit="epoch")
    factor: float = setting("what the learning rate is multiplied by", gt=0.0, le=1.0)


class Cosine(Settings):
    """The learning rate falls to zero like half a period of a cosine."""

    kind: Literal["cosine"]


class Training(Settings):
    """Stochastic gradient descent with momentum."""

    epochs: int = setting("passes over the training set", ge=1)
    batch: int = setting("examples in a batch", ge=1)
    lr: float = setting("learning rate at the start", gt=0.0)
    momentum: float = setting("momentum", ge=0.0, lt=1.0)
    weight_decay: float = setting("weight decay, on all tensors", ge=0.0)
    schedule: Annotated[Steps | Cosine, Field(discriminator="kind")] = setting("how the learning rate falls")
    augment: bool = setting("whether training images are randomly cropped (by up to 4 pixels) and mirrored")
