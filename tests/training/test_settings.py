"""What recipes ask for: sizes that there are, learning rates that drop."""

import pytest

from resodectl.datasets.load import load
from resodectl.training.settings import CLASSES, MOST, SHAPES, AdamTraining, check_size


def test_the_learning_rate_drops_in_steps() -> None:
    training = AdamTraining(epochs=10, batch=1, drop_every=5, drop=0.1)
    assert [training.lr_factor(epoch) for epoch in (0, 4, 5, 9, 10)] == pytest.approx([1, 1, 0.1, 0.1, 0.01])
    assert AdamTraining(epochs=10, batch=1, drop_every=3, drop=1.0).lr_factor(9) == 1


def test_more_images_than_there_are_to_train_on_are_refused() -> None:
    check_size("samples", "cifar10", 50_000)
    with pytest.raises(ValueError, match="samples: cifar10 has only 50000 images to train on, not 50001"):
        check_size("samples", "cifar10", 50_001)


def test_the_facts_about_digits_are_those_of_the_set() -> None:
    digits = load("digits", None)
    assert (digits.train.inputs.shape[1:], digits.classes) == (SHAPES["digits"], CLASSES)
    assert len(digits.train) - 1 == MOST["digits"]
