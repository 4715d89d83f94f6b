"""Random crops and mirror images of training images, drawn anew every epoch from streams."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from resodectl.numerics.draws import Streams

PADDING = 4  # pixels added on each side before the random crop

Augment = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def crop_and_flip(streams: Streams, size: int, device: torch.device | str) -> Augment:
    """The augmentation of one epoch: images shifted by up to 4 pixels, filled with zeros, and mirrored by chance.

    Returns a function of images `(seeds, batch, channels, height, width)` and their indices `(seeds, batch)` among the
    `size` training images.
    """
    drawn = [(stream.integers(0, 2 * PADDING + 1, (2, size)), stream.integers(0, 2, size)) for stream in streams]
    shifts = torch.from_numpy(np.stack([shift for shift, _ in drawn])).to(device)
    flips = torch.from_numpy(np.stack([flip for _, flip in drawn])).to(device)

    def augment(images: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        seeds, batch, _, height, width = images.shape
        down, right = (shifts[:, axis].gather(1, chosen)[..., None] for axis in (0, 1))
        mirrored = flips.gather(1, chosen)[..., None].bool()
        rows = down + torch.arange(height, device=device)
        columns = torch.arange(width, device=device)
        columns = right + torch.where(mirrored, width - 1 - columns, columns)
        padded = F.pad(images, [PADDING] * 4)
        seed = torch.arange(seeds, device=device)[:, None, None, None]
        example = torch.arange(batch, device=device)[:, None, None]
        return padded[seed, example, :, rows[..., :, None], columns[..., None, :]].permute(0, 1, 4, 2, 3)

    return augment
