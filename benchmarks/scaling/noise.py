"""Fractional Gaussian noise: 1000 steps of every entry of two 40 x 40 matrices, path by path and all by one FFT.

Baseline: a path at a time, frequency by frequency in Python, as the official code of Marion et al. 2022 generates them
(though with the Nyquist frequency's own eigenvalue, which that code mistakes), timed on a hundred paths and multiplied.
The official loops, with a NumPy call for each number, take about 45 ms a path: the ratios here are lower bounds.
Both draw the same numbers in the same order: the same paths, asserted to 1e-8 (gamma(1000) loses that many digits).
"""

import math
import time

import numpy as np
import torch

from resodectl.numerics.weights.processes import fractional_noise

LENGTH, PATHS, TIMED = 1000, 2 * 40 * 40, 100


def one_path(rng: np.random.Generator, hurst: float, length: int) -> np.ndarray:
    """Davies & Harte's method, in plain loops."""

    def gamma(lag: int) -> float:
        return 0.5 * (abs(lag - 1) ** (2 * hurst) - 2 * lag ** (2 * hurst) + (lag + 1) ** (2 * hurst))

    row = [gamma(lag) for lag in range(length + 1)] + [gamma(lag) for lag in range(length - 1, 0, -1)]
    eigenvalues = np.fft.fft(row).real
    spectrum = np.zeros(2 * length, dtype=complex)
    spectrum[0] = math.sqrt(2 * eigenvalues[0] * length) * rng.standard_normal()
    spectrum[length] = math.sqrt(2 * eigenvalues[length] * length) * rng.standard_normal()
    for k in range(1, length):
        z = complex(rng.standard_normal(), rng.standard_normal())
        spectrum[k] = math.sqrt(eigenvalues[k] * length) * z
        spectrum[2 * length - k] = spectrum[k].conjugate()
    return np.fft.ifft(spectrum).real[:length]


def main() -> None:
    torch.set_num_threads(1)
    print(f"{PATHS} paths of {LENGTH} steps")
    for hurst in (0.2, 0.5, 0.8, 0.95):
        rng = np.random.default_rng(0)
        started = time.process_time()
        plain = np.array([one_path(rng, hurst, LENGTH) for _ in range(TIMED)])
        baseline = (time.process_time() - started) * PATHS / TIMED
        times = []
        for _ in range(5):
            started = time.process_time()
            ours = fractional_noise([np.random.default_rng(0)], LENGTH, (PATHS,), hurst)
            times.append(time.process_time() - started)
        assert np.abs(ours[:, 0, :TIMED].T.numpy() - plain).max() < 1e-8
        best = float(np.median(times))
        print(
            f"H = {hurst:<4}: path by path {baseline:6.1f} s ({TIMED} timed), one FFT {best:.3f} s, "
            f"{best / PATHS * 1e6:.0f} us a path; {baseline / best:.0f} x"
        )
    size = 2 * LENGTH
    print(
        f"a path: {size} random numbers, about {2.5 * size * math.log2(size) / 1e3:.0f} kFLOP, "
        f"{(8 * size + 2 * 16 * (LENGTH + 1) + 8 * size + 2 * 8 * LENGTH) / 1e3:.0f} kB moved"
    )


if __name__ == "__main__":
    main()
