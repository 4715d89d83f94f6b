"""Images as networks read them: which train and which test, and how their pixels are scaled."""

import math

import numpy as np
import pytest
import torch

from resodectl.datasets.dataset import DataError
from resodectl.datasets.load import load
from resodectl.numerics.draws import TensorPlace
from resodectl.training.images import train_and_test_images, training_images
from resodectl.training.scalings import (
    IMAGENET,
    STANDARDISED,
    by_pixel,
    by_root_mean_square,
    halved,
    unscaled,
)
from tests.true_format import write_cifar10


def test_digits_are_split_once_for_all_and_standardised_by_the_training_part() -> None:
    train, test = train_and_test_images("digits", None, TensorPlace(), STANDARDISED["digits"])
    again, _ = train_and_test_images("digits", None, TensorPlace(), STANDARDISED["digits"])
    assert (len(train.classes), len(test.classes)) == (1297, 500)
    assert torch.equal(train.inputs, again.inputs)
    assert train.inputs.mean(0).abs().max().item() < 1e-12
    assert 0.6 < train.inputs.std().item() < 1
    pixels = training_images("digits", None, TensorPlace(), halved).inputs
    assert len(pixels) == 1797
    assert (pixels.min().item(), pixels.max().item()) == (-0.5, 0.5)


def test_however_digits_are_scaled_they_are_split_in_the_same_way() -> None:
    scaled, plain = (
        train_and_test_images("digits", None, TensorPlace(), scaling) for scaling in (STANDARDISED["digits"], unscaled)
    )
    for one, other in zip(scaled, plain, strict=True):
        assert torch.equal(one.classes, other.classes)
    train, test = (part.flat() for part in plain)
    assert (train.inputs.shape, test.inputs.shape) == ((1297, 64), (500, 64))
    assert (train.inputs.min().item(), train.inputs.max().item()) == (0, 1)


def test_images_are_centred_and_scaled_by_one_number_or_pixel_by_pixel() -> None:
    raw = load("digits", None).train
    images = training_images("digits", None, TensorPlace(), by_root_mean_square, 50).flat()
    pixels = raw.inputs[:50].reshape(50, -1) / 16
    centred = pixels - pixels.mean(0)
    np.testing.assert_allclose(images.inputs, centred / math.sqrt((centred**2).mean()), atol=1e-12)
    assert (images.one_hot().argmax(1).numpy() == raw.labels[:50]).all()
    each = training_images("digits", None, TensorPlace(), by_pixel, 50).flat().inputs
    deviations = each.std(0, correction=0)
    assert ((deviations - 1).abs() < 1e-9).sum() + (deviations == 0).sum() == 64
    with pytest.raises(DataError, match="'digits' has only 1797 images to train on here, not 5000"):
        training_images("digits", None, TensorPlace(), by_pixel, 5000)


def test_test_images_are_scaled_as_the_training_images_are() -> None:
    _, test = train_and_test_images("digits", None, TensorPlace(), by_root_mean_square, 50)
    pixels = load("digits", None).train.inputs / 16
    mean = pixels[:50].mean(0)
    spread = math.sqrt(np.mean((pixels[:50] - mean) ** 2))
    np.testing.assert_allclose(test.inputs, (pixels[50:] - mean) / spread, atol=1e-12)


def test_some_digits_leave_all_others_to_test_with_and_cifar10_has_its_own(tmp_path) -> None:
    train, test = train_and_test_images("digits", None, TensorPlace(), unscaled, 150)
    assert (len(train.classes), len(test.classes)) == (150, 1647)
    assert (train.inputs.min().item(), train.inputs.max().item()) == (0, 1)
    write_cifar10(tmp_path, "py", samples=2)
    train, test = train_and_test_images("cifar10", tmp_path, TensorPlace(torch.float32), IMAGENET, 10)
    assert (train.inputs.shape, test.inputs.shape) == ((10, 3, 32, 32), (2, 3, 32, 32))
    with pytest.raises(DataError, match="digits"):
        train_and_test_images("digits", None, TensorPlace(), unscaled, 1797)
