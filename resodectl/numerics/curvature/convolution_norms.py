"""Operator norms of convolutions, exactly, from the Fourier transform of their kernels."""

import torch


def circular_norms(kernels: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """The operator norms of convolutions on periodic images of `size`, of kernels `(..., out, in, kernel, kernel)`.

    The Fourier transform takes a periodic convolution apart into one matrix `(out, in)` a frequency, so its norm is the
    largest singular value of these (Sedghi, Gupta & Long 2019, arXiv 1805.10408). Kernels larger than the image are
    wrapped around it. Real kernels have the same singular values at opposite frequencies: half of them suffice. The
    eigenvalues of M M^H, of which the largest is as precise, take a fraction of the time of the singular values of M.

    >>> circular_norms(torch.ones(1, 1, 3, 3), (8, 8))
    tensor(9.)
    """
    wrapped = _wrapped(_wrapped(kernels, -1, size[1]), -2, size[0])
    matrices = torch.fft.rfft2(wrapped, s=size).movedim((-2, -1), (0, 1))
    if matrices.shape[-2] > matrices.shape[-1]:
        matrices = matrices.mT
    return torch.linalg.eigvalsh(matrices @ matrices.mH)[..., -1].clamp(min=0).amax((0, 1)).sqrt()


def _wrapped(kernels: torch.Tensor, axis: int, size: int) -> torch.Tensor:
    """The kernels, their taps beyond `size` along an axis added to those at its start."""
    first, *others = kernels.split(size, axis)
    if not others:
        return first
    whole = first.clone()
    for part in others:
        whole.narrow(axis, 0, part.shape[axis]).add_(part)
    return whole
