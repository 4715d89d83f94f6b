"""Images as rows of pixels between 0 and 1, as Marion et al. 2022 (arXiv 2206.06929) feed them to their networks."""

from pathlib import Path
from typing import NamedTuple

import torch

from resodectl.datasets.dataset import Examples
from resodectl.datasets.load import load
from resodectl.experiment.context import stream

DIGITS_TRAIN = 1437  # four fifths of 1797; the set has no published split


class FlatImages(NamedTuple):
    """Pixels `(images, pixels)` and classes `(images,)`."""

    pixels: torch.Tensor
    classes: torch.Tensor


def flat_images(
    name: str, root: Path | None, dtype: torch.dtype, device: torch.device
) -> tuple[FlatImages, FlatImages]:
    """Training and test images; the split of digits is random, but one and the same for all seeds.

    Raises:
        DataError: the data set is missing or damaged.
    """
    dataset = load(name, root)
    train, test = dataset.train, dataset.test
    if not len(test):
        train, test = train.split(DIGITS_TRAIN, stream(0, name, "split"))

    def flat(examples: Examples) -> FlatImages:
        # Bytes are moved first and scaled there: a large set is not blown up to float64 on the way.
        pixels = torch.from_numpy(examples.images).to(device=device, dtype=dtype).div_(dataset.peak).flatten(1)
        return FlatImages(pixels, torch.from_numpy(examples.labels).to(device))

    return flat(train), flat(test)
