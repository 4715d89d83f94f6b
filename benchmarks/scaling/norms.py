"""Figures 1 and 3 of Marion et al. 2022 complete (norms against depth, independent layers), three ways.

Baseline: one network a repetition (one_network.py), timed on one repetition of the fifty at every depth and exponent,
and multiplied by fifty. Ours: the exact samplers of numerics/norm_sampler.py, all fifty repetitions. Equal in law:
two-sample Kolmogorov-Smirnov distances, asserted. All in float64 on one thread, processor time.
"""

import time

import numpy as np
import one_network
import torch
from scipy import stats

from resodectl.experiment.context import stream
from resodectl.numerics.propagation.norm_sampler import joint_norms, marginal_norms

DEPTHS = [int(depth) for depth in np.linspace(10, 1000, 10)]
EXPONENTS = (1.0, 0.25, 0.5)
DIM, REPETITIONS, TIMED = 40, 50, 1
SAMPLE, SHALLOW = 600, 20  # networks and depth of the comparison in law
ONCE_IN_A_THOUSAND = 1.95 * (2 / SAMPLE) ** 0.5  # Kolmogorov-Smirnov distance of two samples


def sampled(method: str, depths: list[int], repetitions: int, exponents: tuple[float, ...] = EXPONENTS) -> np.ndarray:
    """r_out, R_out, r_grad, R_grad: `(depths, 4, exponents * repetitions)`."""
    found = []
    for depth in depths:
        scales = np.repeat([depth**-exponent for exponent in exponents], repetitions)
        network = len(scales), depth, DIM, scales
        if method == "joint":
            output, gradient = joint_norms(stream(0, depth), *network)
        else:
            output, gradient = (marginal_norms(stream(seed, depth), *network) for seed in (1, 2))
        found.append([output.change, output.stretch, gradient.change, gradient.stretch])
    return np.array(found)


def check_laws() -> None:
    plain = np.array([one_network.norms(SHALLOW, 0.5, DIM) for _ in range(SAMPLE)]).T
    for method in ("joint", "marginal"):
        ours = sampled(method, [SHALLOW], SAMPLE, (0.5,))[0]
        distances = [stats.ks_2samp(a, b).statistic for a, b in zip(ours, plain, strict=True)]
        assert max(distances) < ONCE_IN_A_THOUSAND, (method, distances)
        print(
            f"{method:<9} equal in law: distances {', '.join(f'{d:.3f}' for d in distances)} < {ONCE_IN_A_THOUSAND:.3f}"
        )


def main() -> None:
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    check_laws()
    layers = sum(DEPTHS) * len(EXPONENTS) * REPETITIONS
    print(f"\nFigures 1 and 3: {layers:,} layers, of d = {DIM}")
    baseline = sum(one_network.seconds(depth, beta, DIM, TIMED) for depth in DEPTHS for beta in EXPONENTS)
    baseline *= REPETITIONS / TIMED
    drawn, flops = 2 * DIM**2, 8 * DIM**2
    print(
        f"one network a repetition: {baseline:8.1f} s (1/{REPETITIONS // TIMED} timed), {drawn} random numbers, "
        f"{flops / 1e3:.1f} kFLOP and {8 * drawn / 1e3:.1f} kB of matrices a layer"
    )
    costs = {"joint": (2 * DIM, 16 * DIM, 8 * 8 * DIM), "marginal": (2 * 5, 2 * 20, 2 * 8 * 8)}
    for method, (numbers, operations, moved) in costs.items():
        times = []
        for _ in range(5):
            started = time.process_time()
            sampled(method, DEPTHS, REPETITIONS)
            times.append(time.process_time() - started)
        best = float(np.median(times))
        print(
            f"{method:<24}: {best:8.2f} s, about {numbers} random numbers, {operations / 1e3:.2f} kFLOP and "
            f"{moved / 1e3:.2f} kB a layer; {baseline / best:.0f} x"
        )


if __name__ == "__main__":
    main()
