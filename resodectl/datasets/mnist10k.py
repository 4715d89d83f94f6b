"""The first 10,000 training images of MNIST, shipped inside this package: 8,000 to train on, 2,000 to test with.

The files keep them in an order that was shuffled once; the split goes by that order. Pixels are those of MNIST to the
bit. Source: Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits, 1998.
"""

from pathlib import Path

from resodectl.datasets import idx
from resodectl.datasets.dataset import Dataset, unusable

FILES = ("mnist10k-images-idx3-ubyte.gz", "mnist10k-labels-idx1-ubyte.gz")
TRAINED_ON = 8000


def locate(name: str, root: Path | None) -> list[Path]:
    """The two files inside this package; `root` plays no part.

    Raises:
        DataError: this installation lacks one.
    """
    files = [Path(__file__).parent / file for file in FILES]
    for path in files:
        if not path.is_file():
            raise unusable(name, f"has no datasets/{path.name}")
    return files


def read(name: str, files: list[Path]) -> Dataset:
    """Images as uint8, split by their order.

    Raises:
        DataError: a file is damaged.
    """
    images, labels = files
    whole = idx.examples(name, images, labels)
    train, test = whole.part(slice(TRAINED_ON)), whole.part(slice(TRAINED_ON, None))
    return Dataset(name, train, test, idx.CLASSES, idx.PEAK)
