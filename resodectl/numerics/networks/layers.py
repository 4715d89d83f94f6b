"""Layers of networks that run side by side, one for each seed, without a loop over seeds.

Rows are `(seeds, batch, dim)`; maps are `(batch, seeds * channels, height, width)`, so that one grouped convolution
serves all seeds. Batch normalisation is a pure function of its arguments. Running statistics would be updated once more
by every inverse pass and every recomputation, as happens in the official code of Sander et al. 2022; there are none.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F

EPSILON = 1e-5  # added to the variances, as in torch.nn.BatchNorm2d


def linear(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """`(seeds, batch, out)` from rows `(seeds, batch, in)`, weight `(seeds, out, in)` and bias `(seeds, out)`."""
    return torch.baddbmm(bias.unsqueeze(1), rows, weight.transpose(1, 2))


def side_by_side(images: torch.Tensor) -> torch.Tensor:
    """Maps `(batch, seeds * channels, height, width)` of images `(seeds, batch, channels, height, width)`.

    >>> side_by_side(torch.zeros(2, 5, 3, 8, 8)).shape
    torch.Size([5, 6, 8, 8])
    """
    return images.transpose(0, 1).flatten(1, 2)


def rows_of(maps: torch.Tensor, seeds: int) -> torch.Tensor:
    """Rows `(seeds, batch, channels * height * width)` of maps `(batch, seeds * channels, height, width)`.

    >>> rows_of(torch.zeros(5, 6, 8, 8), seeds=2).shape
    torch.Size([2, 5, 192])
    """
    return maps.unflatten(1, (seeds, -1)).flatten(2).transpose(0, 1)


def convolution(
    maps: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None, stride: int = 1, padding: int = 0
) -> torch.Tensor:
    """One convolution a seed: weight `(seeds, out, in, kernel, kernel)`, bias `(seeds, out)`."""
    flat = None if bias is None else bias.flatten()
    return F.conv2d(maps, weight.flatten(0, 1), flat, stride=stride, padding=padding, groups=len(weight))


def small_convolution(maps: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """A 3x3 `convolution` with padding 1 of small square maps, as one product of matrices for all runs.

    The matrix of a run, `(in * pixels, out * pixels)`, is mostly zeros, yet on maps of 4x4 or 2x2 pixels one product is
    several times faster on a CPU than a grouped convolution, which goes through the runs and images one by one.
    """
    runs, outputs, inputs = weight.shape[:3]
    side = maps.shape[-1]
    pixels = side**2
    entries = F.pad(weight.flatten(3), (0, 1))[..., _entries(side).to(weight.device)]
    matrix = entries.view(runs, outputs, inputs, pixels, pixels).permute(0, 2, 3, 1, 4)
    shift = bias.repeat_interleave(pixels, 1).unsqueeze(1)
    rows = torch.baddbmm(shift, rows_of(maps, runs), matrix.reshape(runs, inputs * pixels, outputs * pixels))
    return side_by_side(rows.unflatten(2, (outputs, side, side)))


@lru_cache
def _entries(side: int) -> torch.Tensor:
    """Which of the nine entries of a kernel joins an input pixel to an output pixel, or 9 where none does; flat."""
    at = torch.arange(side)
    shift = at[:, None] - at[None, :] + 1  # (read, written)
    inside = (shift >= 0) & (shift < 3)
    entry = 3 * shift[:, None, :, None] + shift[None, :, None, :]
    return torch.where(inside[:, None, :, None] & inside[None, :, None, :], entry, 9).flatten()


def batch_norm(
    maps: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, reference: int | None = None
) -> torch.Tensor:
    """Batch normalisation with statistics of the batch itself; weight and bias are `(seeds, channels)`.

    `reference`: the statistics are those of the first `reference` images of the batch alone, so that in evaluation
    each other image is treated as if it came singly; without it they are those of all images (training).
    """
    scale, shift = weight.flatten(), bias.flatten()
    if reference is None:
        return F.batch_norm(maps, None, None, scale, shift, training=True, eps=EPSILON)
    variance, mean = torch.var_mean(maps[:reference], dim=(0, 2, 3), correction=0)
    return F.batch_norm(maps, mean, variance, scale, shift, training=False, eps=EPSILON)
