"""The tangent kernel of the convolutional network for digits beside loops over samples.

In float64 on one thread, 100 digits with 10 outputs each, 6218 weights: a kernel of 1000 x 1000. The baseline is the
loop at its best, one backward pass for each sample and output through one graph a sample, whose gradients are all kept
and multiplied at once; that product is the same on both sides. Both give the same kernel.
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
SAMPLES, REPETITIONS = 100, 5


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

    found = kernel(model, weights, images, block=SAMPLES)
    assert torch.allclose(found, at_best(images), rtol=1e-9)
    whole = seconds(lambda: kernel(model, weights, images, block=SAMPLES))
    alone = seconds(lambda: jacobian(model, weights, images))
    print(f"torch {torch.__version__}, one thread; {SAMPLES} digits, {size(network)} weights")
    for name, theirs, mine in (
        ("kernel", seconds(lambda: at_best(images)), whole),
        ("gradients alone", seconds(lambda: [gradients(image) for image in images]), alone),
    ):
        print(f"  {name:16s} {1e3 * theirs:9.1f} ms, ours {1e3 * mine:8.1f} ms   {theirs / mine:7.1f} x")


if __name__ == "__main__":
    main()
