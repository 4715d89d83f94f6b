"""Stationary Gaussian sequences of unit variance, many at once: fractional noise, smooth processes, independent terms.

Fractional Gaussian noise by circulant embedding (Davies & Harte 1987; the embedding is non-negative definite for all
0 < H < 1: Dietrich & Newsam 1997, Craigmile 2003). Smooth processes by the Karhunen-Loeve expansion of their kernel.
The first axis of a sequence is its index, as in `depth.weights`; the second axis holds the seeds, one stream each.
"""

import math
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
import torch

from resodectl.numerics.draws import Streams, normal, uniform
from resodectl.numerics.laws import correlations
from resodectl.numerics.laws.correlations import LENGTH_SCALE, Floats

EntryLaw = Literal["uniform", "gaussian", "rbf", "rbf_increments", "rbf_and_gaussian", "fbm"]
ENTRY_LAWS: tuple[EntryLaw, ...] = get_args(EntryLaw)
NODES = 200  # of the quadrature of the kernel's integral operator; exact to rounding for length scales from 0.02 on
PATHS_AT_ONCE = 128  # through one FFT: few enough to stay in the cache
ROUGH_SHARE = 0.1  # of the variance of weights that are smooth up to independent terms
DROPPED = 1e-13  # eigenvalues below this share of the largest are rounding errors


def entries(
    law: EntryLaw,
    streams: Streams,
    depth: int,
    shape: tuple[int, ...],
    hurst: float = 0.5,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
    length_scale: float = LENGTH_SCALE,
    rough_share: float = ROUGH_SHARE,
) -> torch.Tensor:
    """One tensor of weights of unit variance for every layer and seed, `(depth, seeds, *shape)`; scale it to taste.

    All entries of a tensor are independent; along the layers an entry is

    - `uniform`, `gaussian`: independent, uniform on (-sqrt(3), sqrt(3)) or N(0, 1);
    - `rbf`: a smooth Gaussian process of kernel exp(-(s - t)^2 / (2 l^2)), l = `length_scale` of at least 0.02, layer k
      standing at k / depth; the draws do not depend on the depth, so networks of all depths are samples of one and the
      same weights(s);
    - `rbf_increments`: the increments of that process from layer to layer, scaled to unit variance;
    - `rbf_and_gaussian`: that process plus independent Gaussian terms, which have the share `rough_share` of the
      variance;
    - `fbm`: fractional Gaussian noise, the increments of fractional Brownian motion of Hurst index `hurst`.
    """
    if law == "uniform":
        half = math.sqrt(3)
        drawn = uniform(streams, (depth, *shape), -half, half).transpose(0, 1)
    elif law == "gaussian":
        drawn = normal(streams, (depth, *shape)).transpose(0, 1)
    elif law == "fbm":
        drawn = fractional_noise(streams, depth, shape, hurst)
    elif law == "rbf_increments":
        drawn = smooth_process(streams, smooth_increment_modes(depth, length_scale), shape)
    else:
        drawn = smooth_process(streams, smooth_modes(depth, length_scale), shape)
        if law == "rbf_and_gaussian":
            rough = normal(streams, (depth, *shape)).transpose(0, 1)
            drawn = drawn.mul_(math.sqrt(1 - rough_share)).add_(rough, alpha=math.sqrt(rough_share))
    return drawn.to(device=device, dtype=dtype).contiguous()


def fractional_noise(streams: Streams, length: int, shape: tuple[int, ...], hurst: float) -> torch.Tensor:
    """Fractional Gaussian noise of unit variance, `(length, seeds, *shape)` in float64; all paths by one FFT."""
    return circulant_noise(streams, circulant_eigenvalues(length, hurst), shape)


def circulant_noise(streams: Streams, eigenvalues: Floats, shape: tuple[int, ...]) -> torch.Tensor:
    """Gaussian sequences, `(length, seeds, *shape)` in float64, whose covariance is the upper left quarter of a
    circulant matrix of size M = 2 length; its `eigenvalues`, `(length + 1,)`, are at the frequencies k / M.

    The real inverse FFT of sqrt(e_k M / 2) z_k has the covariance of the whole matrix. The z_k are complex with N(0, 1)
    real and imaginary parts, but the first and the last (the Nyquist frequency) are real and N(0, 2).
    """
    length, paths = len(eigenvalues) - 1, math.prod(shape)
    scale = torch.from_numpy(np.sqrt(eigenvalues * length))
    noise = torch.empty((length, len(streams), paths), dtype=torch.float64)
    for seed, stream in enumerate(streams):
        for first in range(0, paths, PATHS_AT_ONCE):
            drawn = stream.standard_normal((min(PATHS_AT_ONCE, paths - first), 2 * length))
            sequences = torch.fft.irfft(_hermitian(torch.from_numpy(drawn)).mul_(scale), n=2 * length)
            noise[:, seed, first : first + len(sequences)] = sequences[:, :length].T
    return noise.unflatten(-1, shape)


def _hermitian(drawn: torch.Tensor) -> torch.Tensor:
    """The z_k, k = 0..M/2, of each row of M standard normal numbers: z_0, z_M/2, then real and imaginary parts."""
    size = drawn.shape[1]
    z = torch.empty((len(drawn), size // 2 + 1), dtype=torch.complex128)
    z[:, 1:-1] = torch.view_as_complex(drawn[:, 2:].unflatten(1, (size // 2 - 1, 2)))
    z[:, 0], z[:, -1] = math.sqrt(2) * drawn[:, 0], math.sqrt(2) * drawn[:, 1]
    return z


def circulant_eigenvalues(length: int, hurst: float) -> Floats:
    """Eigenvalues, `(length + 1,)`, at the frequencies k / (2 length) of the circulant matrix that embeds `length`
    terms of fractional Gaussian noise: the real FFT of its row gamma(0), ..., gamma(length), ..., gamma(1).

    >>> circulant_eigenvalues(2, 0.5)
    array([1., 1., 1.])
    """
    half = correlations.fractional_noise(np.arange(length + 1), hurst)
    eigenvalues: Floats = np.fft.rfft(np.concatenate([half, half[-2:0:-1]])).real
    return np.maximum(eigenvalues, 0.0)  # those that vanish may be a rounding error below


def smooth_process(streams: Streams, modes: Floats, shape: tuple[int, ...]) -> torch.Tensor:
    """Gaussian sequences of covariance modes @ modes.T, `(len(modes), seeds, *shape)` in float64.

    One product a seed, so that the bits of a seed do not depend on the seeds beside it.
    """
    of_seeds = [modes @ stream.standard_normal((modes.shape[1], math.prod(shape))) for stream in streams]
    return torch.from_numpy(np.stack(of_seeds, 1)).unflatten(-1, shape)


def smooth_modes(depth: int, length_scale: float = LENGTH_SCALE) -> Floats:
    """The Karhunen-Loeve modes sqrt(e_i) phi_i at k / depth, k = 0..depth - 1: `(depth, modes)`."""
    return smooth_modes_at(np.arange(depth) / depth, length_scale)


def smooth_increment_modes(depth: int, length_scale: float = LENGTH_SCALE) -> Floats:
    """Modes of the increments over (k / depth, (k + 1) / depth), scaled to unit variance: `(depth, modes)`."""
    ends = smooth_modes_at(np.arange(depth + 1) / depth, length_scale)
    variance = -2 * math.expm1(-((1 / (depth * length_scale)) ** 2) / 2)
    return np.diff(ends, axis=0) / math.sqrt(variance)


def smooth_modes_at(positions: Floats, length_scale: float = LENGTH_SCALE) -> Floats:
    """sqrt(e_i) phi_i of the kernel exp(-(s - t)^2 / (2 l^2)) on [0, 1], at any positions: `(positions, modes)`.

    Eigenpairs of the integral operator by Gauss-Legendre quadrature, carried to the positions by Nystroem's formula
    e_i phi_i(s) = integral of K(s, t) phi_i(t) dt. The kernel is analytic: about 30 modes are all that float64 can
    see at l = 0.1, where a Cholesky factor of the kernel's matrix would break down.
    """
    nodes, carry = _nystroem(length_scale)
    kernel = np.exp(-(((positions[:, None] - nodes) / length_scale) ** 2) / 2)
    modes: Floats = kernel @ carry
    return modes


@lru_cache(maxsize=8)
def _nystroem(length_scale: float) -> tuple[Floats, Floats]:
    """Nodes on [0, 1], and the matrix that takes K(s, nodes) to the modes at s."""
    nodes, quadrature = np.polynomial.legendre.leggauss(NODES)
    nodes, roots = (nodes + 1) / 2, np.sqrt(quadrature / 2)
    kernel = np.exp(-(((nodes[:, None] - nodes) / length_scale) ** 2) / 2)
    eigenvalues, vectors = np.linalg.eigh(roots[:, None] * kernel * roots)
    kept = eigenvalues > DROPPED * eigenvalues[-1]
    return nodes, (roots[:, None] * vectors[:, kept] / np.sqrt(eigenvalues[kept]))[:, ::-1]
