"""Images as networks read them: split into training and test images, scaled, and on the device that computes."""

from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
import torch.nn.functional as F

from resodectl.datasets.dataset import DataError, Dataset, Examples
from resodectl.datasets.load import load
from resodectl.experiment.context import stream
from resodectl.numerics.draws import TensorPlace
from resodectl.training.scalings import Scaling
from resodectl.training.settings import CLASSES, TRAINED_ON


class Images(NamedTuple):
    """Images `(n, channels, height, width)`, or `(n, pixels)` where a network reads rows, and their classes `(n,)`."""

    inputs: torch.Tensor
    classes: torch.Tensor

    def flat(self) -> Self:
        """The same images as rows of pixels.

        >>> Images(torch.zeros(5, 1, 8, 8), torch.zeros(5, dtype=torch.int64)).flat().inputs.shape
        torch.Size([5, 64])
        """
        return self._replace(inputs=self.inputs.flatten(1))

    def one_hot(self) -> torch.Tensor:
        """The classes as targets `(n, 10)`, of the type of the images.

        >>> Images(torch.zeros(1, 64), torch.tensor([3])).one_hot().argmax().item()
        3
        """
        return F.one_hot(self.classes, CLASSES).to(self.inputs)


def training_images(
    name: str, root: Path | None, place: TensorPlace, scaling: Scaling, count: int | None = None
) -> Images:
    """All training images, or the first `count`, for those who do not test; digits are all training images here.

    Raises:
        DataError: the data set is missing or damaged, or has fewer images.
    """
    dataset = load(name, root)
    count = len(dataset.train) if count is None else count
    chosen = dataset.train.part(slice(_available(dataset, count, len(dataset.train))))
    pixels = _pixels(chosen, dataset, place)
    return _scaled(pixels, chosen, scaling(pixels))


def train_and_test_images(
    name: str, root: Path | None, place: TensorPlace, scaling: Scaling, count: int | None = None, random: bool = False
) -> tuple[Images, Images]:
    """The training and the test images of `split`, scaled by what the training images show.

    Raises:
        DataError: the data set is missing or damaged, or has too few images.
    """
    dataset = load(name, root)
    train, test = split(dataset, count, random)
    pixels = _pixels(train, dataset, place)
    moments = scaling(pixels)
    return _scaled(pixels, train, moments), _scaled(_pixels(test, dataset, place), test, moments)


def split(dataset: Dataset, count: int | None = None, random: bool = False) -> tuple[Examples, Examples]:
    """The examples to train on and those to test with, the same for all seeds.

    Without `count`, the published split; a set without one is split at random. With `count`, the first so many training
    examples, or random ones; the test set is the published one or, without one, all that is left.

    Raises:
        DataError: there are too few examples, one to test with included.

    >>> train, test = split(load("digits", None))
    >>> len(train), len(test)
    (1297, 500)
    >>> train, test = split(load("digits", None), 100)
    >>> len(train), len(test)
    (100, 1697)
    """
    chosen: np.ndarray | slice
    others: np.ndarray | slice
    published, most = len(dataset.test) > 0, len(dataset.train)
    if count is None:
        if published:
            return dataset.train, dataset.test
        return dataset.train.split(TRAINED_ON[dataset.name], stream(0, dataset.name, "split"))
    count = _available(dataset, count, most if published else most - 1)
    chosen, others = slice(count), slice(count, None)
    if random:
        order = stream(0, dataset.name, "samples").permutation(most)
        chosen, others = order[chosen], order[others]
    return dataset.train.part(chosen), dataset.test if published else dataset.train.part(others)


def _available(dataset: Dataset, count: int, most: int) -> int:
    """`count`, or an error if there are fewer images."""
    if count > most:
        raise DataError(f"the data set '{dataset.name}' has only {most} images to train on here, not {count}")
    return count


def _pixels(examples: Examples, dataset: Dataset, place: TensorPlace) -> torch.Tensor:
    """Pixels from 0 to 1. Bytes are moved first and scaled there: a large set does not grow to float64 on the way."""
    if dataset.peak is None:
        raise DataError(f"the data set '{dataset.name}' has no images")
    return torch.from_numpy(examples.inputs).to(place.device, place.dtype, copy=True).div_(dataset.peak)


def _scaled(pixels: torch.Tensor, examples: Examples, moments: tuple[torch.Tensor, torch.Tensor]) -> Images:
    """Scales `pixels` in place."""
    mean, spread = moments
    return Images(pixels.sub_(mean).div_(spread), torch.from_numpy(examples.labels).to(pixels.device))
