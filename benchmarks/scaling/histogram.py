"""Figure 2 of Marion et al. 2022 complete: norms of 10,000 networks of width 100 and depth 1000, two ways.

Baseline: one network a repetition (one_network.py), uniform entries in float32 as in the official code, timed on four
of the 10,000 and multiplied. Ours: the marginal sampler, Gaussian entries in float64, all of them, twice: once for
hidden states, once for gradients. Equal in law: asserted at depth 20 for Gaussian entries. One thread, processor time.
"""

import time

import numpy as np
import one_network
import torch
from scipy import stats

from resodectl.experiment.context import stream
from resodectl.numerics.propagation.norm_sampler import marginal_norms

DIM, DEPTH, NETWORKS, TIMED = 100, 1000, 10_000, 4
SAMPLE, SHALLOW = 400, 20
ONCE_IN_A_THOUSAND = 1.95 * (2 / SAMPLE) ** 0.5


def stretches(networks: int, depth: int) -> list[np.ndarray]:
    """Of hidden states and of gradients."""
    return [marginal_norms(stream(seed), networks, depth, DIM, depth**-0.5).stretch for seed in (0, 1)]


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    plain = np.array([one_network.norms(SHALLOW, 0.5, DIM, "gaussian") for _ in range(SAMPLE)])[:, [1, 3]].T
    distances = [stats.ks_2samp(a, b).statistic for a, b in zip(stretches(SAMPLE, SHALLOW), plain, strict=True)]
    assert max(distances) < ONCE_IN_A_THOUSAND, distances
    print(f"equal in law: distances {', '.join(f'{d:.3f}' for d in distances)} < {ONCE_IN_A_THOUSAND:.3f}")
    baseline = one_network.seconds(DEPTH, 0.5, DIM, "uniform", TIMED) * NETWORKS / TIMED
    started = time.process_time()
    stretches(NETWORKS, DEPTH)
    ours = time.process_time() - started
    layers = NETWORKS * DEPTH
    print(
        f"one network a repetition: {baseline:,.0f} s ({TIMED} of {NETWORKS:,} timed), {2 * DIM**2 * layers:.0e} "
        f"random numbers, {8 * DIM**2 * layers:.0e} FLOP, {16 * DIM**2 * layers / 1e12:.1f} TB of matrices\n"
        f"without matrices:         {ours:.2f} s, {2 * 5 * layers:.0e} random numbers, "
        f"about {2 * 20 * layers:.0e} FLOP, {2 * 8 * 8 * layers / 1e9:.0f} GB through the cache\n"
        f"{baseline / ours:,.0f} x"
    )


if __name__ == "__main__":
    main()
