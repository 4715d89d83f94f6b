"""Images as the networks of this family read them, with their classes: the first ones, random ones, or a split.

The three papers scale them in three ways: Cohen et al. 2021 (arXiv 2103.00065) by what the images themselves show,
Arora, Li & Panigrahi 2022 (arXiv 2205.09745) and Lyu, Li & Arora 2022 (arXiv 2206.07085) by fixed means and spreads.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from resodectl.datasets.dataset import DataError, Examples
from resodectl.datasets.load import load
from resodectl.errors import UserError
from resodectl.experiment.context import stream
from resodectl.numerics.draws import TensorPlace

SCALES = {  # mean and spread of a channel's pixels: of MNIST, and of ImageNet for CIFAR-10
    "mnist": ((0.1307,), (0.3081,)),
    "cifar10": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
UNSCALED = ((0.0,), (1.0,))


class Samples(NamedTuple):
    """Images `(n, channels, height, width)`, training targets `(n, classes)` and test classes `(n,)`."""

    inputs: torch.Tensor
    targets: torch.Tensor
    test_inputs: torch.Tensor
    test_classes: torch.Tensor


class Split(NamedTuple):
    """Images `(n, channels, height, width)` to train on and to test with, and their classes `(n,)`."""

    inputs: torch.Tensor
    classes: torch.Tensor
    test_inputs: torch.Tensor
    test_classes: torch.Tensor


def first_images(
    name: str, root: Path | None, samples: int, scaling: str, place: TensorPlace
) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs `(samples, pixels)` and targets `(samples, classes)` of the first training images.

    Args:
        scaling: `global`: pixels are centred one by one, and all divided by the root of their mean square; `pixel`:
            centred and divided by their deviation one by one (those that never change stay at zero).

    Raises:
        DataError: the data set is missing or damaged.
        UserError: it has fewer images.
    """
    dataset = load(name, root)
    images, labels = dataset.train.images[:samples], torch.from_numpy(dataset.train.labels[:samples])
    if len(labels) < samples:
        raise UserError(f"the data set '{name}' has {len(labels)} training images here, fewer than samples: {samples}")
    pixels = torch.from_numpy(images).to(**place._asdict()).flatten(1) / dataset.peak
    pixels -= pixels.mean(0)
    if scaling == "global":
        pixels /= pixels.square().mean().sqrt()
    else:
        deviation = pixels.square().mean(0).sqrt()
        pixels /= torch.where(deviation > 0, deviation, 1.0)
    return pixels, torch.nn.functional.one_hot(labels, dataset.classes).to(pixels)


def draw_samples(name: str, root: Path | None, size: int, place: TensorPlace) -> Samples:
    """The first `size` training images of digits, or as many random ones of a set with a published split.

    The rest of digits are its test images. Pixels of digits are centred one by one, and divided by one root mean
    square.

    Raises:
        DataError: the data set is missing or damaged.
        UserError: it has too few images.
    """
    dataset = load(name, root)
    train, test = dataset.train, dataset.test
    if len(train) < size or (name == "digits" and len(train) == size):
        raise UserError(f"the data set '{name}' has only {len(train)} training images here, samples: {size}")

    def tensor(pixels: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(pixels).to(**place._asdict()) / dataset.peak

    if name == "digits":
        chosen = np.arange(size)
        inputs, others, classes = tensor(train.images[:size]), tensor(train.images[size:]), train.labels[size:]
        mean = inputs.mean(0)
        spread = (inputs - mean).square().mean().sqrt()
    else:
        chosen = stream(0, name, "samples").permutation(len(train))[:size]
        inputs, others, classes = tensor(train.images[chosen]), tensor(test.images), test.labels
        mean, spread = (torch.tensor(values, **place._asdict()).view(-1, 1, 1) for values in SCALES[name])
    targets = torch.nn.functional.one_hot(torch.from_numpy(train.labels[chosen]), dataset.classes).to(inputs)
    answers = torch.from_numpy(classes).to(place.device)
    return Samples((inputs - mean) / spread, targets, (others - mean) / spread, answers)


def split(name: str, root: Path | None, count: int, dtype: torch.dtype) -> Split:
    """The first `count` training images; the test set, which for digits is all that is left, pixels from 0 to 1.

    Raises:
        DataError: the set is missing or damaged, or has not more than `count` images.
    """
    dataset = load(name, root)
    published = len(dataset.test) > 0
    most = len(dataset.train) - (0 if published else 1)
    if count > most:
        raise DataError(f"images: {count} are wanted, and the data set '{name}' has {most} to train on")
    train = Examples(dataset.train.images[:count], dataset.train.labels[:count])
    test = dataset.test if published else Examples(dataset.train.images[count:], dataset.train.labels[count:])
    mean, deviation = (torch.tensor(values, dtype=dtype).view(-1, 1, 1) for values in SCALES.get(name, UNSCALED))
    inputs, test_inputs = (
        torch.from_numpy(part.images).to(dtype).div_(dataset.peak).sub_(mean).div_(deviation) for part in (train, test)
    )
    return Split(inputs, torch.from_numpy(train.labels), test_inputs, torch.from_numpy(test.labels))
