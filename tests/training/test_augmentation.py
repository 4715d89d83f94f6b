"""Random crops and mirror images are of the image, and belong to it wherever it stands in the epoch."""

import numpy as np
import torch

from resodectl.experiment.context import stream
from resodectl.training.augmentation import PADDING, crop_and_flip


def streams(*labels, seeds=(0, 1, 2)):
    return [stream(seed, *labels) for seed in seeds]


def test_crop_and_flip_shifts_by_up_to_four_pixels_and_mirrors() -> None:
    image = torch.arange(1.0, 65).view(1, 1, 1, 8, 8)
    images, chosen = image.expand(2, 50, 1, 8, 8), torch.arange(50).expand(2, 50)
    augmented = crop_and_flip(streams("augment", 0, seeds=(4, 9)), 50, "cpu")(images, chosen)
    padded = torch.nn.functional.pad(image[0, 0, 0], [PADDING] * 4)
    crops = {
        tuple(side.flatten().tolist())
        for down in range(2 * PADDING + 1)
        for right in range(2 * PADDING + 1)
        for crop in [padded[down : down + 8, right : right + 8]]
        for side in (crop, crop.flip(1))
    }
    found = [tuple(one.flatten().tolist()) for one in augmented.flatten(0, 1)]
    assert set(found) <= crops
    assert len(set(found)) > 70
    assert found[:50] != found[50:]


def test_an_image_is_augmented_the_same_wherever_it_stands_in_the_epoch() -> None:
    images = torch.randn(2, 10, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    chosen = torch.from_numpy(np.stack([stream.permutation(10) for stream in streams("order", seeds=(0, 1))]))
    augment = crop_and_flip(streams("augment", seeds=(0, 1)), 10, "cpu")
    inorder = augment(images, torch.arange(10).expand(2, -1))
    shuffled = augment(images[torch.arange(2)[:, None], chosen], chosen)
    assert torch.equal(shuffled, inorder[torch.arange(2)[:, None], chosen])
