"""Figures 1 and 3 of Marion et al. 2022 complete (norms against depth, independent layers).

First with the paper's own law, uniform entries: one network a repetition (one_network.py, in float32 as the official
code), against our simulation with matrices, in which the three exponents share them. Then with Gaussian entries, for
which the exact samplers of numerics/propagation/norm_sampler.py need no matrices. Baselines are timed on one repetition
of the fifty at every depth and exponent and multiplied by fifty; the simulation with matrices on ten. Equal in law:
two-sample Kolmogorov-Smirnov distances, asserted. One thread, processor time.
"""

import time

import numpy as np
import one_network
import torch
from scipy import stats

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context, stream
from resodectl.families.scaling.initial_norms.simulation import simulate
from resodectl.families.scaling.initial_norms.spec import Point
from resodectl.numerics.propagation.norm_sampler import joint_norms, marginal_norms

DEPTHS = [int(depth) for depth in np.linspace(10, 1000, 10)]
EXPONENTS = (1.0, 0.25, 0.5)
DIM, REPETITIONS, TIMED, WITH_MATRICES = 40, 50, 1, 10
SAMPLE, SHALLOW = 600, 20  # networks and depth of the comparison in law
ONCE_IN_A_THOUSAND = 1.95 * (2 / SAMPLE) ** 0.5  # Kolmogorov-Smirnov distance of two samples


def simulated(depths: list[int], repetitions: int, exponents: tuple[float, ...] = EXPONENTS) -> np.ndarray:
    """The same of uniform entries, `(depths, 4, exponents * repetitions)`, by our simulation with all matrices."""
    found = []
    for depth in depths:
        point = Point(weights="uniform", exponents=exponents, repetitions=repetitions, dim=DIM, depth=depth)
        context = Context((0,), torch.device("cpu"), torch.float64)
        ((_, columns),) = simulate(Cell("scaling/initial-norms", point, (0,)), context)
        found.append([columns[f"{norm}_{kind}"] for norm in ("output", "gradient") for kind in ("change", "stretch")])
    return np.array(found)


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
    for method, law in (("matrices", "uniform"), ("joint", "gaussian"), ("marginal", "gaussian")):
        plain = np.array([one_network.norms(SHALLOW, 0.5, DIM, law) for _ in range(SAMPLE)]).T
        exact = law == "gaussian"
        ours = sampled(method, [SHALLOW], SAMPLE, (0.5,))[0] if exact else simulated([SHALLOW], SAMPLE, (0.5,))[0]
        distances = [stats.ks_2samp(a, b).statistic for a, b in zip(ours, plain, strict=True)]
        assert max(distances) < ONCE_IN_A_THOUSAND, (method, distances)
        print(
            f"{method:<9} equal in law: distances {', '.join(f'{d:.3f}' for d in distances)} < {ONCE_IN_A_THOUSAND:.3f}"
        )


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    check_laws()
    layers = sum(DEPTHS) * len(EXPONENTS) * REPETITIONS
    print(f"\nFigures 1 and 3: {layers:,} layers, of d = {DIM}")
    alone = {
        law: sum(one_network.seconds(depth, beta, DIM, law, TIMED) for depth in DEPTHS for beta in EXPONENTS)
        * (REPETITIONS / TIMED)
        for law in ("uniform", "gaussian")
    }
    started = time.process_time()
    simulated(DEPTHS, WITH_MATRICES)
    matrices = (time.process_time() - started) * REPETITIONS / WITH_MATRICES
    print(f"the paper's uniform law, one network a repetition: {alone['uniform']:8.1f} s")
    print(f"the paper's uniform law, our simulation: {matrices:8.1f} s; {alone['uniform'] / matrices:.0f} x")
    baseline = alone["gaussian"]
    drawn, flops = 2 * DIM**2, 8 * DIM**2
    print(
        f"Gaussian entries, one network a repetition: {baseline:8.1f} s (1/{REPETITIONS // TIMED} timed), {drawn} "
        f"random numbers, {flops / 1e3:.1f} kFLOP and {8 * drawn / 1e3:.1f} kB of matrices a layer"
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
