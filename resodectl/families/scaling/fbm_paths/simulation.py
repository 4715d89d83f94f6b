"""Paths of fractional Brownian motion by circulant embedding, and the moments that define it.

Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929): B(k/N) = N^-H (xi_1 + ... + xi_k) with fractional Gaussian noise
xi of unit variance.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.scaling.fbm_paths.spec import Point
from resodectl.numerics.laws.correlations import Floats
from resodectl.numerics.weights.processes import circulant_eigenvalues, circulant_noise


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    point = cell.point
    eigenvalues = circulant_eigenvalues(point.steps, point.hurst)
    if point.ablation == "zero_frequency_at_nyquist":
        eigenvalues[-1] = eigenvalues[0]
    streams, orders = context.streams("noise"), context.streams("order")
    for index, (seed, stream, order) in enumerate(zip(cell.seeds, streams, orders, strict=True)):
        noise = circulant_noise([stream], eigenvalues, (point.paths,))[:, 0].T.numpy()
        if point.ablation == "shuffled":
            noise = order.permuted(noise, axis=0)
        sums = np.concatenate([np.zeros((point.paths, 1)), np.cumsum(noise, axis=1)], axis=1)
        yield "paths", _path(seed, sums[0], point.hurst)
        yield "moments", _moments(seed, noise, sums[:, -1], point.hurst)
        yield "displacements", _displacements(seed, sums)
        context.progress((index + 1) / len(cell.seeds))


def _path(seed: int, sums: Floats, hurst: float) -> dict[str, Any]:
    steps = len(sums) - 1
    return {"seed": np.full(steps + 1, seed), "step": np.arange(steps + 1), "position": steps**-hurst * sums}


def _moments(seed: int, noise: Floats, ends: Floats, hurst: float) -> dict[str, Any]:
    """Averages over a seed's paths, `(paths, steps)`, and along them. The mean is known to be 0: nothing is centred."""
    return {
        "seed": np.array([seed]),
        "variance": np.mean(noise**2),
        "lag_covariance": np.mean(noise[:, 1:] * noise[:, :-1]),
        "end_square": np.mean(ends**2) / noise.shape[1] ** (2 * hurst),
    }


def _displacements(seed: int, sums: Floats) -> dict[str, Any]:
    """Mean squares of sums[k + lag] - sums[k] over all k and paths; lags are powers of two up to half the path."""
    steps = sums.shape[1] - 1
    lags = 2 ** np.arange(int(np.log2(steps)))
    squares = [np.mean((sums[:, lag:] - sums[:, :-lag]) ** 2) for lag in lags]
    return {"seed": np.full(len(lags), seed), "lag": lags, "mean_square": np.array(squares)}
