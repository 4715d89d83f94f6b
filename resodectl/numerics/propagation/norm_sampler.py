"""Norms of untrained residual networks without their matrices: exact in law for independent Gaussian layers.

h <- h + alpha V relu(Theta h) with independent N(0, 1/d) entries. Given h, Theta h has independent entries of variance
|h|^2 / d, m ~ Bin(d, 1/2) of them positive, so |relu(Theta h)|^2 = |h|^2 chi^2_m / d and the residual is
s g with g ~ N(0, I_d) and s = alpha |h| sqrt(chi^2_m) / d. No limit is taken; depth and width are any. `alpha` is one
residual scale, or one for each network, `(networks,)`. Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929) study
these networks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resodectl.numerics.laws.correlations import Floats

WORD = 16
_ONES = np.array([bin(word).count("1") for word in range(2**WORD)], dtype=np.int64)


@dataclass(frozen=True)
class Norms:
    """Of each network, `(networks,)`: `change` is |end - start| / |start|, `stretch` is |end| / |start|."""

    change: Floats
    stretch: Floats


def marginal_norms(stream: np.random.Generator, networks: int, depth: int, dim: int, alpha: ArrayLike) -> Norms:
    """The norms of hidden states, a handful of scalar draws a layer and network whatever the width (at least 2).

    By rotation only the plane of h_0 and h_k matters: the component along h_0, and the distance from that axis. Norms
    of gradients, from p_L to p_0, have the same law: the transposed network is one of the same kind.
    """
    along, away, scale = np.ones(networks), np.zeros(networks), np.asarray(alpha, dtype=float)
    for _ in range(depth):
        active = _chi_square(stream, halving(stream, networks, dim))
        s = scale / dim * np.sqrt((along**2 + away**2) * active)
        first, second = stream.standard_normal((2, networks))
        across = 2 * stream.standard_gamma((dim - 2) / 2, networks)
        along += s * first
        away = np.sqrt((away + s * second) ** 2 + s**2 * across)
    return Norms(np.hypot(along - 1, away), np.hypot(along, away))


def joint_norms(
    stream: np.random.Generator, networks: int, depth: int, dim: int, alpha: ArrayLike
) -> tuple[Norms, Norms]:
    """The norms of hidden states and gradients of the same networks, 2 dim draws a layer and network.

    Backward, the matrices are conditioned on what the forward pass has seen of them, Theta h = z and V relu(z) = xi:
    with a = |relu(z)| and q = xi.p, relu'(z) * V^T p has the squared length w^2 = q^2 / a^2 + |p|^2 chi^2_{m-1} / d,
    and Theta^T takes it to h q / |h|^2 plus w / sqrt(d) times a standard normal vector orthogonal to h.
    """
    scale = np.broadcast_to(np.asarray(alpha, dtype=float), networks)[:, None]
    h = np.zeros((networks, dim))
    h[:, 0] = 1.0
    seen = []
    for _ in range(depth):
        m = halving(stream, networks, dim)
        square = _square(h) * _chi_square(stream, m) / dim
        xi = np.sqrt(square / dim)[:, None] * stream.standard_normal((networks, dim))
        seen.append((h, xi, square, m))
        h = h + scale * xi
    last = stream.standard_normal((networks, dim))
    p = last
    for before, xi, square, m in reversed(seen):
        q = np.einsum("nd,nd->n", xi, p)
        passed = np.divide(q**2, square, out=np.zeros(networks), where=m > 0)
        passed += _square(p) * _chi_square(stream, np.maximum(m - 1, 0)) / dim
        g = np.sqrt(passed / dim)[:, None] * stream.standard_normal((networks, dim))
        along = (q - np.einsum("nd,nd->n", before, g)) / _square(before)
        p = p + scale * (g + along[:, None] * before)
    return _norms(seen[0][0], h), _norms(last, p)


def halving(stream: np.random.Generator, size: int, trials: int) -> NDArray[np.int64]:
    """Bin(trials, 1/2) draws, `(size,)`: how many of `trials` random bits are one."""
    whole, rest = divmod(trials, WORD)
    words = stream.integers(0, 2**WORD, (whole + (rest > 0), size), dtype=np.uint16)
    if rest:
        words[-1] >>= WORD - rest
    ones: NDArray[np.int64] = _ONES[words].sum(0)
    return ones


def _chi_square(stream: np.random.Generator, freedom: NDArray[np.int64]) -> Floats:
    """Chi-square draws with 0, 1, 2, ... degrees of freedom; 0 for none."""
    return 2 * stream.standard_gamma(freedom / 2)


def _square(vectors: Floats) -> Floats:
    """The squared length of each row."""
    squares: Floats = np.einsum("nd,nd->n", vectors, vectors)
    return squares


def _norms(start: Floats, end: Floats) -> Norms:
    length = np.sqrt(_square(start))
    return Norms(np.sqrt(_square(end - start)) / length, np.sqrt(_square(end)) / length)
