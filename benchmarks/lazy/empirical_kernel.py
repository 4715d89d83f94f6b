"""The tangent kernel of the convolutional network for digits beside loops over samples.

In float64 on one thread, 100 digits with 10 outputs each, 6218 weights: a kernel of 1000 x 1000. Baselines: the loop at
its best, one backward pass for each sample and output through one graph a sample, whose gradients are all kept and
multiplied at once; and the loop that keeps the gradients of two samples only, as a network whose gradients do not fit
into memory needs it: n (n + 1) / 2 pairs, timed on some of them. All give the same kernel.
Processor time, medians.
Run: python benchmarks/lazy/empirical_kernel.py
"""

import statistics
import time
from collections.abc import Callable

import torch

from resodectl.experiment.context import stream
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.kernels.empirical import jacobian, kernel
from resodectl.numerics.networks.rectified import Plain, size, xavier
from resodectl.training.images import training_images
from resodectl.training.scalings import STANDARDISED

torch.set_num_threads(1)
SAMPLES, FEW, REPETITIONS = 100, 8, 5
BAR = 10.0  # of the loop over pairs; the loop that keeps all gradients has no bar: the product is the same in both


def seconds(call: Callable[[], object]) -> float:
    """The median processor time of a call."""
    times = []
    for _ in range(REPETITIONS):
        begun = time.process_time()
        call()
        times.append(time.process_time() - begun)
    return statistics.median(times)


def main() -> None:
    network = Plain(1, 10, ((8,), (16,), (32,)), 8)
    weights = xavier(network, lambda name: [stream(0, name)], 2.0)[0]
    images = training_images("digits", None, TensorPlace(), STANDARDISED["digits"], SAMPLES).inputs

    def model(w: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return network.outputs(w.unsqueeze(0), x)[0]

    def gradients(image: torch.Tensor) -> torch.Tensor:
        leaf = weights.clone().requires_grad_()
        outputs = model(leaf, image.unsqueeze(0))[0]
        return torch.stack([torch.autograd.grad(output, leaf, retain_graph=True)[0] for output in outputs])

    def at_best(samples: torch.Tensor) -> torch.Tensor:
        rows = torch.cat([gradients(image) for image in samples])
        return rows @ rows.T

    def by_pairs(samples: torch.Tensor) -> torch.Tensor:
        found = torch.zeros(len(samples), len(samples), 10, 10, dtype=torch.float64)
        for i, image in enumerate(samples):
            own = gradients(image)
            for j, other in enumerate(samples[: i + 1]):
                found[i, j] = own @ gradients(other).T
                found[j, i] = found[i, j].T.clone()
        return found.transpose(1, 2).flatten(2).flatten(0, 1)

    few = images[:FEW]
    found = kernel(model, weights, images, block=SAMPLES)
    assert torch.allclose(found, at_best(images), rtol=1e-9)
    assert torch.allclose(kernel(model, weights, few), by_pairs(few), rtol=1e-9)
    whole = seconds(lambda: kernel(model, weights, images, block=SAMPLES))
    pairs = seconds(lambda: by_pairs(few)) * SAMPLES * (SAMPLES + 1) / (FEW * (FEW + 1))
    alone = seconds(lambda: jacobian(model, weights, images))
    print(f"torch {torch.__version__}, one thread; {SAMPLES} digits, {size(network)} weights")
    for name, theirs, mine in (
        ("kernel, beside the loop over pairs of samples", pairs, whole),
        ("kernel, beside the loop that keeps all gradients", seconds(lambda: at_best(images)), whole),
        ("gradients alone, one loop", seconds(lambda: [gradients(image) for image in images]), alone),
    ):
        print(f"  {name:50s} {1e3 * theirs:9.1f} ms, ours {1e3 * mine:8.1f} ms   {theirs / mine:7.1f} x")
    assert pairs > BAR * whole, (pairs, whole)


if __name__ == "__main__":
    main()
