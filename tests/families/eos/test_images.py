"""Images of the eos family: which ones are drawn, how many there are at most, and how pixels are scaled."""

from pathlib import Path

import numpy as np
import pytest

from resodectl.datasets.dataset import DataError
from resodectl.datasets.load import load
from resodectl.experiment.context import stream
from resodectl.families.eos.images import drawn_images
from resodectl.numerics.draws import TensorPlace
from resodectl.training.images import train_and_test_images, training_images
from resodectl.training.scalings import IMAGENET, MNIST, by_pixel, by_root_mean_square, unscaled
from resodectl.training.settings import check_size
from tests.true_format import write_cifar10, write_mnist

MEANS, SPREADS = (np.reshape(v, (3, 1, 1)) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


def test_random_images_of_a_published_set_are_those_of_one_permutation_for_all_seeds(tmp_path: Path) -> None:
    write_cifar10(tmp_path, "bin", samples=2)
    (train, test), whole = drawn_images("cifar10", tmp_path, 6, TensorPlace()), load("cifar10", tmp_path)
    chosen = stream(0, "cifar10", "samples").permutation(10)[:6]
    np.testing.assert_allclose(train.inputs, (whole.train.inputs[chosen] / 255 - MEANS) / SPREADS, rtol=1e-12)
    assert train.one_hot().argmax(1).tolist() == whole.train.labels[chosen].tolist()
    np.testing.assert_allclose(test.inputs, (whole.test.inputs / 255 - MEANS) / SPREADS, rtol=1e-12)
    assert test.classes.tolist() == whole.test.labels.tolist()


def test_the_first_digits_are_trained_on_and_all_the_others_test() -> None:
    (train, test), whole = drawn_images("digits", None, 30, TensorPlace()), load("digits", None).train
    pixels = whole.inputs / 16
    mean = pixels[:30].mean(0)
    spread = np.sqrt(np.square(pixels[:30] - mean).mean())
    np.testing.assert_allclose(train.inputs, (pixels[:30] - mean) / spread, atol=1e-12)
    np.testing.assert_allclose(test.inputs, (pixels[30:] - mean) / spread, atol=1e-12)
    assert train.one_hot().argmax(1).tolist() == whole.labels[:30].tolist()
    assert test.classes.tolist() == whole.labels[30:].tolist()


def test_all_digits_but_one_may_be_trained_on() -> None:
    assert len(drawn_images("digits", None, 1796, TensorPlace())[1].classes) == 1
    assert len(train_and_test_images("digits", None, TensorPlace(), unscaled, 1796)[1].classes) == 1
    too_few = "'digits' has only 1796 images to train on here, not 1797"
    with pytest.raises(DataError, match=too_few):
        drawn_images("digits", None, 1797, TensorPlace())
    with pytest.raises(DataError, match=too_few):
        train_and_test_images("digits", None, TensorPlace(), unscaled, 1797)
    check_size("images", "digits", 1796)
    with pytest.raises(ValueError, match="images: digits has only 1796"):
        check_size("images", "digits", 1797)


def test_all_images_of_a_set_with_a_test_set_may_be_trained_on(tmp_path: Path) -> None:
    write_cifar10(tmp_path, "bin", samples=1)
    assert len(drawn_images("cifar10", tmp_path, 5, TensorPlace())[0].inputs) == 5
    assert len(train_and_test_images("cifar10", tmp_path, TensorPlace(), IMAGENET, 5)[0].inputs) == 5
    assert len(training_images("cifar10", tmp_path, TensorPlace(), by_root_mean_square, 5).inputs) == 5
    too_few = "'cifar10' has only 5 images to train on here, not 6"
    with pytest.raises(DataError, match=too_few):
        drawn_images("cifar10", tmp_path, 6, TensorPlace())
    with pytest.raises(DataError, match=too_few):
        train_and_test_images("cifar10", tmp_path, TensorPlace(), IMAGENET, 6)
    with pytest.raises(DataError, match=too_few):
        training_images("cifar10", tmp_path, TensorPlace(), by_root_mean_square, 6)


def test_images_of_mnist_are_scaled_by_their_published_mean_and_spread(tmp_path: Path) -> None:
    """The first ones, and those that are drawn."""
    write_mnist(tmp_path / "mnist", compressed=False)
    whole = load("mnist", tmp_path)
    chosen = stream(0, "mnist", "samples").permutation(len(whole.train))[:3]
    first = train_and_test_images("mnist", tmp_path, TensorPlace(), MNIST, 3)
    drawn = drawn_images("mnist", tmp_path, 3, TensorPlace())
    for (train, test), taken in ((first, slice(3)), (drawn, chosen)):
        np.testing.assert_allclose(train.inputs, (whole.train.inputs[taken] / 255 - 0.1307) / 0.3081, rtol=1e-12)
        np.testing.assert_allclose(test.inputs, (whole.test.inputs / 255 - 0.1307) / 0.3081, rtol=1e-12)
        assert train.classes.tolist() == whole.train.labels[taken].tolist()


def test_pixels_one_by_one_have_mean_zero_and_deviation_one_unless_they_never_change() -> None:
    found = training_images("digits", None, TensorPlace(), by_pixel, 40).flat().inputs
    pixels = load("digits", None).train.inputs[:40].reshape(40, 64) / 16
    deviation = pixels.std(0)
    expected = (pixels - pixels.mean(0)) / np.where(deviation > 0, deviation, 1)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert (deviation == 0).any()
