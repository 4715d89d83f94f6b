"""Images as Arora, Li & Panigrahi 2022 (arXiv 2205.09745) train on them: few of a set, scaled by fixed numbers."""

from pathlib import Path

from resodectl.numerics.draws import TensorPlace
from resodectl.training.images import Images, train_and_test_images
from resodectl.training.scalings import IMAGENET, MNIST, Scaling, by_root_mean_square

SCALINGS: dict[str, Scaling] = {"digits": by_root_mean_square, "mnist": MNIST, "cifar10": IMAGENET}


def drawn_images(name: str, root: Path | None, count: int, place: TensorPlace) -> tuple[Images, Images]:
    """`count` random training images, the same for all seeds, and the test images; of digits, the first ones.

    Raises:
        DataError: the data set is missing or damaged, or has too few images.
    """
    return train_and_test_images(name, root, place, SCALINGS[name], count, random=name != "digits")
