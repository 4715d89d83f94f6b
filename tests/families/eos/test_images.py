"""Images of the eos family: which ones are drawn, how many there are at most, and how pixels are scaled."""

from pathlib import Path

import numpy as np
import pytest
import torch
from resodectl.families.eos.sizes import check_size

from resodectl.datasets.dataset import DataError
from resodectl.datasets.load import load
from resodectl.errors import UserError
from resodectl.experiment.context import stream
from resodectl.families.eos.images import draw_samples, first_images, split
from resodectl.numerics.draws import TensorPlace
from tests.true_format import write_cifar10, write_mnist

MEANS, SPREADS = (np.reshape(v, (3, 1, 1)) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


def test_random_images_of_a_published_set_are_those_of_one_permutation_for_all_seeds(tmp_path: Path) -> None:
    write_cifar10(tmp_path, "bin", samples=2)
    samples, whole = draw_samples("cifar10", tmp_path, 6, TensorPlace()), load("cifar10", tmp_path)
    chosen = stream(0, "cifar10", "samples").permutation(10)[:6]
    np.testing.assert_allclose(samples.inputs, (whole.train.images[chosen] / 255 - MEANS) / SPREADS, rtol=1e-12)
    assert samples.targets.argmax(1).tolist() == whole.train.labels[chosen].tolist()
    np.testing.assert_allclose(samples.test_inputs, (whole.test.images / 255 - MEANS) / SPREADS, rtol=1e-12)
    assert samples.test_classes.tolist() == whole.test.labels.tolist()


def test_the_first_digits_are_trained_on_and_all_the_others_test() -> None:
    samples, whole = draw_samples("digits", None, 30, TensorPlace()), load("digits", None).train
    pixels = whole.images / 16
    mean = pixels[:30].mean(0)
    spread = np.sqrt(np.square(pixels[:30] - mean).mean())
    np.testing.assert_allclose(samples.inputs, (pixels[:30] - mean) / spread, atol=1e-12)
    np.testing.assert_allclose(samples.test_inputs, (pixels[30:] - mean) / spread, atol=1e-12)
    assert samples.targets.argmax(1).tolist() == whole.labels[:30].tolist()
    assert samples.test_classes.tolist() == whole.labels[30:].tolist()


def test_all_digits_but_one_may_be_trained_on() -> None:
    assert len(draw_samples("digits", None, 1796, TensorPlace()).test_classes) == 1
    assert len(split("digits", None, 1796, torch.float64).test_classes) == 1
    with pytest.raises(UserError, match="only 1797 training images here, samples: 1797"):
        draw_samples("digits", None, 1797, TensorPlace())
    with pytest.raises(DataError, match="1797 are wanted, and the data set 'digits' has 1796"):
        split("digits", None, 1797, torch.float64)
    check_size("images", "digits", 1796)
    with pytest.raises(ValueError, match="images: digits has only 1796"):
        check_size("images", "digits", 1797)


def test_all_images_of_a_set_with_a_test_set_may_be_trained_on(tmp_path: Path) -> None:
    write_cifar10(tmp_path, "bin", samples=1)
    assert len(draw_samples("cifar10", tmp_path, 5, TensorPlace()).inputs) == 5
    assert len(split("cifar10", tmp_path, 5, torch.float64).inputs) == 5
    assert len(first_images("cifar10", tmp_path, 5, "global", TensorPlace())[0]) == 5
    with pytest.raises(DataError, match="6 are wanted"):
        split("cifar10", tmp_path, 6, torch.float64)
    with pytest.raises(UserError, match="fewer than samples: 6"):
        first_images("cifar10", tmp_path, 6, "global", TensorPlace())


def test_a_split_of_mnist_is_scaled_by_its_published_mean_and_spread(tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist", compressed=False)
    found, whole = split("mnist", tmp_path, 3, torch.float64), load("mnist", tmp_path)
    np.testing.assert_allclose(found.inputs, (whole.train.images[:3] / 255 - 0.1307) / 0.3081, rtol=1e-12)
    np.testing.assert_allclose(found.test_inputs, (whole.test.images / 255 - 0.1307) / 0.3081, rtol=1e-12)
    assert found.classes.tolist() == whole.train.labels[:3].tolist()


def test_pixels_one_by_one_have_mean_zero_and_deviation_one_unless_they_never_change() -> None:
    found, _ = first_images("digits", None, 40, "pixel", TensorPlace())
    pixels = load("digits", None).train.images[:40].reshape(40, 64) / 16
    deviation = pixels.std(0)
    expected = (pixels - pixels.mean(0)) / np.where(deviation > 0, deviation, 1)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert (deviation == 0).any()
