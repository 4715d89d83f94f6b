"""Fixed features of images and their linear classifiers in closed form.

Prior features are moduli of oriented Morlet-like wavelets, the first order of a scattering transform (Oyallon & Mallat
2015, arXiv 1412.8659); random features are rectified products with whitened random patches (Coates & Ng 2012).
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

from resodectl.training.images import Images
from resodectl.training.settings import CLASSES

THRESHOLD = 0.5  # of random features: relu(p x - threshold), relu(-p x - threshold), p x having about unit variance
WHITENED_BY = 2000  # training images, the first ones, whose patches are seen
SOFTENING = 0.1  # added to the variances that whitening divides by, relative to their mean


def wavelet_moduli(images: torch.Tensor, scales: int, orientations: int, grid: int) -> torch.Tensor:
    """Mean moduli of wavelets and mean pixels in each cell, `(n, features)`, of images `(n, channels, side, side)`."""
    parts = [_cells(images, grid)]
    for scale in range(scales):
        for orientation in range(orientations):
            real, imaginary = (
                _per_channel(images, part.to(images)) for part in _wavelet(scale, math.pi * orientation / orientations)
            )
            parts.append(_cells((real.square() + imaginary.square()).sqrt(), grid))
    return torch.cat(parts, 1)


def patch_features(images: torch.Tensor, filters: torch.Tensor, shift: torch.Tensor, grid: int) -> torch.Tensor:
    """Mean rectified products with patches in each cell, of both signs, `(n, features)`.

    Args:
        filters: `(patches, channels, side, side)`; shift: what is subtracted from each product, `(patches,)`.
    """
    products = F.conv2d(images, filters, -shift, padding=filters.shape[-1] // 2)
    signs = ((products - THRESHOLD).relu(), (-products - THRESHOLD).relu())
    return torch.cat([_cells(part, grid) for part in signs], 1)


def whitened_patches(
    images: torch.Tensor, patches: int, side: int, stream: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Filters and shifts whose products with a patch are those of whitened patches, of about unit variance."""
    spots = side * side * images.shape[1]
    some = images[:WHITENED_BY]
    seen = F.unfold(some, side).transpose(1, 2).reshape(-1, spots)
    mean = seen.mean(0)
    centred = seen - mean
    covariance = centred.T @ centred / len(centred)
    values, vectors = torch.linalg.eigh(covariance)
    inverse = vectors / (values + SOFTENING * values.mean()) @ vectors.T  # whitens the filter and the patch
    chosen = torch.from_numpy(stream.integers(0, len(centred), patches)).to(images.device)
    filters = centred[chosen] @ inverse
    norms = ((filters @ covariance) * filters).sum(1).sqrt()
    filters = filters / norms.clamp(min=1e-12).unsqueeze(1)
    return filters.view(patches, images.shape[1], side, side), filters @ mean


def ridge_accuracies(
    train: torch.Tensor, test: torch.Tensor, answers: tuple[Images, Images], ridge: float
) -> tuple[float, float]:
    """The training and test accuracy of ridge regression to one-hot classes on standardised features."""
    mean, spread = train.mean(0), train.std(0, correction=0)
    spread = torch.where(spread > 1e-9, spread, 1.0)
    train, test = ((features - mean) / spread for features in (train, test))
    targets = F.one_hot(answers[0].classes, CLASSES).to(train)
    offset = targets.mean(0)
    size, count = train.shape
    penalty = ridge * size
    if count <= size:
        gram = train.T @ train
        gram.diagonal().add_(penalty)
        weights = torch.linalg.solve(gram, train.T @ (targets - offset))
    else:
        gram = train @ train.T
        gram.diagonal().add_(penalty)
        weights = train.T @ torch.linalg.solve(gram, targets - offset)
    scores = ((features @ weights + offset).argmax(1) for features in (train, test))
    first, second = ((score == own.classes).double().mean().item() for score, own in zip(scores, answers, strict=True))
    return first, second


def _wavelet(scale: int, angle: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Real and imaginary part of a wave of wavelength 2^(scale + 2) pixels in a Gaussian window, without a mean."""
    reach = 2 ** (scale + 1)
    at = torch.arange(-reach, reach + 1, dtype=torch.float64)
    down, right = torch.meshgrid(at, at, indexing="ij")
    phase = 2 * math.pi / 2 ** (scale + 2) * (math.cos(angle) * right + math.sin(angle) * down)
    window = torch.exp(-(down**2 + right**2) / (2 * (0.6 * reach) ** 2))
    window = window / window.sum()
    real = window * (phase.cos() - (window * phase.cos()).sum() / window.sum())
    return real, window * phase.sin()


def _per_channel(images: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    channels = images.shape[1]
    return F.conv2d(images, kernel.expand(channels, 1, -1, -1), padding=kernel.shape[-1] // 2, groups=channels)


def _cells(maps: torch.Tensor, grid: int) -> torch.Tensor:
    return F.adaptive_avg_pool2d(maps, grid).flatten(1)
