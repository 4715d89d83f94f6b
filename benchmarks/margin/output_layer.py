"""The largest margin of the output layer: the exact solution beside the 50,000 steps that the authors' notebook takes.

Baselines, on one set of 128 samples of 15 coordinates and 1000 units, in float64 on one thread: the notebook's step on
the output weights, which costs n m, the features once and for all; and the same ascent in terms of the n x n kernel,
which is the best that these steps can be. First both ascents give the same margin, and no more than the exact one,
whose bounds from both sides meet. Then each is timed on some of its steps, whose cost does not change, and multiplied
up to 50,000; after these the margin is still short of the exact one. Processor time, medians.
Run: python benchmarks/margin/output_layer.py
"""

import math
import statistics
import time
from collections.abc import Callable

import torch

from resodectl.experiment.context import stream
from resodectl.families.margin.ascent import (
    Wide,
    ascend_in_kernel,
    ascend_output,
    begin,
    begin_in_kernel,
    normal_start,
)
from resodectl.families.margin.clusters import draw_clusters
from resodectl.numerics.margins.kernel_svm import kernel_svm

torch.set_num_threads(1)
SAMPLES, DIM, WIDTH, LR, STEPS = 128, 15, 1000, 0.5, 50_000
TIMED, COMPARED, REPETITIONS, BAR = 500, 2000, 5, 10.0


def seconds(call: Callable[[], object]) -> float:
    """The median processor time of a call."""
    times = []
    for _ in range(REPETITIONS):
        begun = time.process_time()
        call()
        times.append(time.process_time() - begun)
    return statistics.median(times)


def main() -> None:
    data = draw_clusters(lambda label: [stream(0, label)], "train", SAMPLES, DIM, 3, "product")
    start = normal_start([stream(0, "hidden")], [stream(0, "output")], WIDTH, DIM)
    wide = begin(Wide(start.hidden, torch.zeros_like(start.output)))

    def kernel() -> torch.Tensor:
        units = torch.bmm(start.hidden, data.inputs.mT).clamp_min_(0)
        return torch.bmm(units.mT, units) / WIDTH

    gram = kernel()

    def solved() -> float:
        of = kernel_svm(kernel()[0].numpy(), data.labels[0].numpy())
        assert of.upper - of.lower < 1e-9 * of.upper
        return of.upper

    def in_weights(steps: int) -> float:
        return ascend_output(wide, data, LR, steps).best.item()

    def in_kernel(steps: int) -> float:
        return ascend_in_kernel(begin_in_kernel(data.labels), gram, data.labels, LR, steps).best.item()

    margins = in_weights(COMPARED), in_kernel(COMPARED)
    assert math.isclose(*margins, rel_tol=1e-6), margins
    reached, largest = in_kernel(STEPS), solved()
    assert reached <= largest * (1 + 1e-9), (reached, largest)
    exact = seconds(solved)
    print(f"torch {torch.__version__}, one thread; {SAMPLES} samples, {WIDTH} units")
    print(f"  exact, kernel included                          {1e3 * exact:9.1f} ms   margin {largest:.5f}")
    for name, ascend in (("n x m, as the notebook does", in_weights), ("n x n, in the kernel", in_kernel)):
        theirs = seconds(lambda ascend=ascend: ascend(TIMED)) * STEPS / TIMED
        shown = f"  {STEPS:,} steps, {name:28s}      {1e3 * theirs:9.1f} ms   margin {reached:.5f}   "
        print(shown + f"{theirs / exact:7.1f} x")
        assert theirs > BAR * exact, (theirs, exact)


if __name__ == "__main__":
    main()
