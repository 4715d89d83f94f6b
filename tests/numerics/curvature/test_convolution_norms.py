"""Norms of convolutions: those of dense matrices, on images of any size."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from resodectl.numerics.curvature.convolution_norms import circular_norms


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def dense(kernel: torch.Tensor, size: tuple[int, int], circular: bool) -> torch.Tensor:
    """The matrix of a convolution, a column for each unit image."""
    inputs = kernel.shape[1] * size[0] * size[1]
    images = torch.eye(inputs, dtype=kernel.dtype).reshape(inputs, kernel.shape[1], *size)
    padded = F.pad(images, (1, 1, 1, 1), mode="circular" if circular else "constant")
    return F.conv2d(padded, kernel).flatten(1).T


@pytest.mark.parametrize("size", [(8, 8), (5, 6), (4, 4), (3, 3)])
def test_the_norm_is_that_of_the_dense_periodic_matrix(size: tuple[int, int]) -> None:
    kernels = draw(2, 5, 3, 3, 3)
    found = circular_norms(kernels, size)
    for norm, kernel in zip(found, kernels, strict=True):
        assert norm.item() == pytest.approx(torch.linalg.matrix_norm(dense(kernel, size, True), 2).item(), rel=1e-10)


def test_the_zero_padded_layer_has_another_norm() -> None:
    """The periodic norm is not that of the actual layer, but within a few per cent of it on 8x8 images."""
    kernel = draw(5, 3, 3, 3)
    periodic = circular_norms(kernel, (8, 8)).item()
    actual = torch.linalg.matrix_norm(dense(kernel, (8, 8), False), 2).item()
    assert 0.9 < actual / periodic < 0.995


def test_kernels_that_are_larger_than_the_image_are_wrapped_around_it() -> None:
    kernel = draw(5, 3, 3, 3)
    one_pixel = torch.linalg.matrix_norm(kernel.sum((2, 3)), 2).item()
    assert circular_norms(kernel, (1, 1)).item() == pytest.approx(one_pixel, rel=1e-12)
    # On 2x2 periodic images the taps at -1 and +1 meet.
    taps = torch.zeros(5, 3, 2, 2, dtype=torch.float64)
    for i in range(3):
        for j in range(3):
            taps[:, :, i % 2, j % 2] += kernel[:, :, i, j]
    norms = [
        torch.linalg.matrix_norm(
            taps[:, :, 0, 0] + p * taps[:, :, 1, 0] + q * (taps[:, :, 0, 1] + p * taps[:, :, 1, 1]), 2
        )
        for p in (1, -1)
        for q in (1, -1)
    ]
    assert circular_norms(kernel, (2, 2)).item() == pytest.approx(max(norms).item(), rel=1e-12)
