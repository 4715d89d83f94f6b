"""The data and trainings that recipes may ask for, as tagged choices, and how many images there are."""

from typing import Annotated, Literal

from pydantic import Field

from resodectl.experiment.settings import Settings, setting

SHAPES: dict[str, tuple[int, int, int]] = {"digits": (1, 8, 8), "cifar10": (3, 32, 32)}
CLASSES = 10  # of every data set here

TRAINED_ON = {"digits": 1297}  # of 1797 images: sets without a published split are split at random, once for all
# Images to train on; where there is no published split, one is left to test with.
MOST = {"digits": 1796, "mnist-10k": 8_000, "mnist": 60_000, "cifar10": 50_000}


def check_size(name: str, data: str, images: int) -> None:
    """Refuse a parameter `name` that asks for more images than there are to train on.

    Raises:
        ValueError: it does.

    >>> check_size("images", "digits", 1797)
    Traceback (most recent call last):
    ValueError: images: digits has only 1796 images to train on, not 1797
    """
    if images > MOST[data]:
        raise ValueError(f"{name}: {data} has only {MOST[data]} images to train on, not {images}")


class Steps(Settings):
    """The learning rate is multiplied by a factor at given epochs."""

    kind: Literal["steps"]
    milestones: tuple[int, ...] = setting("epochs, counted from 0, from which on the factor applies", unit="epoch")
    factor: float = setting("what the learning rate is multiplied by", gt=0.0, le=1.0)


class Cosine(Settings):
    """The learning rate falls to zero like half a period of a cosine."""

    kind: Literal["cosine"]


class SgdTraining(Settings):
    """Stochastic gradient descent with momentum."""

    epochs: int = setting("passes over the training set", ge=1)
    batch: int = setting("examples in a batch", ge=1)
    lr: float = setting("learning rate at the start", gt=0.0)
    momentum: float = setting("momentum", ge=0.0, lt=1.0)
    weight_decay: float = setting("weight decay, on all tensors", ge=0.0)
    schedule: Annotated[Steps | Cosine, Field(discriminator="kind")] = setting("how the learning rate falls")
    augment: bool = setting("whether training images are randomly cropped (by up to 4 pixels) and mirrored")


class AdamTraining(Settings):
    """Adam with its default constants on the mean cross-entropy, with a learning rate that drops in steps."""

    epochs: int = setting("passes over the training set", ge=1)
    batch: int = setting("images in a batch", ge=1)
    drop_every: int = setting("epochs after which the learning rate is multiplied by `drop`, again and again", ge=1)
    drop: float = setting("that factor; 1 for a constant learning rate", gt=0.0, le=1.0)

    def lr_factor(self, epoch: int) -> float:
        """What the learning rate is multiplied by in an epoch, counted from 0.

        >>> training = AdamTraining(epochs=10, batch=128, drop_every=5, drop=0.5)
        >>> [training.lr_factor(epoch) for epoch in (0, 4, 5, 9)]
        [1.0, 1.0, 0.5, 0.5]
        """
        return self.drop ** (epoch // self.drop_every)
