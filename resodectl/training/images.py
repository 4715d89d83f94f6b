"""Images as the networks of this family read them: scaled, split, and on the device that computes."""

from pathlib import Path

import numpy as np
import torch

from resodectl.datasets.dataset import Dataset, Examples
from resodectl.datasets.load import load
from resodectl.experiment.context import stream
from resodectl.numerics.draws import TensorPlace
from resodectl.training.classifiers import Images

DIGITS_TRAIN = 1297  # of 1797; the set has no published split
CIFAR_MEAN = (0.4914, 0.4822, 0.4465)  # of red, green and blue over the training set, and their usual spreads
CIFAR_SPREAD = (0.2023, 0.1994, 0.2010)
SOFTENING = 0.1  # added to the spread of each pixel of digits, for some are constant


def standardised(name: str, root: Path | None, place: TensorPlace) -> tuple[Images, Images]:
    """Training and test images, centred and divided by their spread: a channel's for CIFAR-10, a pixel's for digits.

    The split of digits is random, but one and the same for all seeds.

    Raises:
        DataError: the data set is missing or damaged.
    """
    dataset = load(name, root)
    train, test = _split(dataset)
    if len(dataset.test):
        mean, spread = (np.array(values).reshape(-1, 1, 1) for values in (CIFAR_MEAN, CIFAR_SPREAD))
    else:
        pixels = train.images / dataset.peak
        mean, spread = pixels.mean(0), pixels.std(0) + SOFTENING
    return _scaled(train, dataset.peak, mean, spread, place), _scaled(test, dataset.peak, mean, spread, place)


def halved(name: str, root: Path | None, place: TensorPlace) -> Images:
    """All training images with pixels between -1/2 and 1/2.

    Raises:
        DataError: the data set is missing or damaged.
    """
    dataset = load(name, root)
    return _scaled(dataset.train, dataset.peak, np.array(0.5), np.array(1.0), place)


def _split(dataset: Dataset) -> tuple[Examples, Examples]:
    if len(dataset.test):
        return dataset.train, dataset.test
    return dataset.train.split(DIGITS_TRAIN, stream(0, dataset.name, "split"))


def _scaled(examples: Examples, peak: int, mean: np.ndarray, spread: np.ndarray, place: TensorPlace) -> Images:
    def tensor(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values).to(device=place.device, dtype=place.dtype)

    # Bytes are moved first and scaled there: a large set is not blown up to float64 on the way.
    inputs = tensor(examples.images).div_(peak).sub_(tensor(mean)).div_(tensor(spread))
    return Images(inputs, torch.from_numpy(examples.labels).to(place.device))
