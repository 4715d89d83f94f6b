"""What tracking sharpness every ten steps costs, as a share of full-batch training itself.

The network is the one of eos/cohen2021eos-sharpening (64-32-32-10, 200 digits, 2,400 steps of 0.5), trained by
autograd or by hand; sharpness is taken by Lanczos from the last record, with products by double backward or by hand,
to residuals of 1e-2 and 1e-3. At a record, the step takes the operator's gradient where both are of one kind. Before
anything is timed, tracking is checked to leave the training as it is, and its values to be right.
Run: python benchmarks/eos/tracking.py
"""

import statistics
import time
from collections.abc import Callable

import torch

from resodectl.experiment.context import stream
from resodectl.numerics.curvature.lanczos import largest
from resodectl.numerics.curvature.mean_square import MeanSquareHessian
from resodectl.numerics.curvature.operators import Hessian, Operator
from resodectl.numerics.descent.full_batch import gradient_step
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.networks.perceptron import Perceptron, torch_default
from resodectl.training.images import training_images
from resodectl.training.scalings import by_root_mean_square

torch.set_num_threads(1)
NETWORK, LR, FACTOR = Perceptron((64, 32, 32, 10)), 0.5, 0.5
STEPS, EVERY, REPETITIONS = 2400, 10, 3
WAYS = (("by autograd", "by double backward"), ("by autograd", "by hand"), ("by hand", "by hand"))


class Training:
    """One training in one precision, differentiated and tracked in different ways."""

    def __init__(self, dtype: torch.dtype) -> None:
        images = training_images("digits", None, TensorPlace(dtype), by_root_mean_square, 200).flat()
        self.inputs, self.targets = images.inputs, images.one_hot()
        self.first = torch_default(NETWORK, lambda name: [stream(0, "weights", name)]).to(dtype)
        generator = torch.Generator().manual_seed(0)
        self.start = torch.randn(1, 1, NETWORK.size, dtype=torch.float64, generator=generator).to(dtype)
        self.kinds: dict[str, Callable[[torch.Tensor], Operator]] = {
            "by hand": lambda w: MeanSquareHessian(NETWORK, w, self.inputs, self.targets, FACTOR),
            "by double backward": lambda w: Hessian(self.losses, w),
        }

    def losses(self, weights: torch.Tensor) -> torch.Tensor:
        return FACTOR * (NETWORK.outputs(weights, self.inputs) - self.targets).square().sum(2).mean(1)

    def gradient(self, weights: torch.Tensor, way: str) -> torch.Tensor:
        if way == "by hand":
            return self.kinds[way](weights).gradient
        leaf = weights.detach().requires_grad_()
        return torch.autograd.grad(self.losses(leaf).sum(), leaf)[0]

    def run(self, way: str, products: str = "", tolerance: float = 0.0) -> tuple[torch.Tensor, list[float], float]:
        """The last weights, the values of sharpness, and the mean number of products of one."""
        weights, start = self.first, self.start
        values, counts = [], []
        shared = (way == "by hand") == (products == "by hand")
        for step in range(STEPS):
            slope = None
            if products and step % EVERY == 0:
                here = self.kinds[products](weights)
                found = largest(here, start, tolerance=tolerance)
                start, slope = found.start, here.gradient if shared else None
                values.append(found.values.item())
                counts.append(int(found.products))
            weights = gradient_step(weights, self.gradient(weights, way) if slope is None else slope, LR)
        return weights, values, statistics.mean(counts) if counts else 0.0


def main() -> None:
    print(f"torch {torch.__version__}, one thread, medians of {REPETITIONS} interleaved repetitions of {STEPS} steps")
    for dtype in (torch.float64, torch.float32):
        training = Training(dtype)
        for way, products in WAYS:
            plain = training.run(way)[0]
            exact = training.run(way, products, 1e-6 if dtype == torch.float64 else 1e-4)[1]
            for tolerance in (1e-2, 1e-3):
                weights, values, count = training.run(way, products, tolerance)
                torch.testing.assert_close(weights, plain)
                error = statistics.median(abs(a / b - 1) for a, b in zip(values, exact, strict=True))
                assert error < tolerance, (products, tolerance, error)
                costs = []
                for _ in range(REPETITIONS):
                    started = time.process_time()
                    training.run(way)
                    middle = time.process_time()
                    training.run(way, products, tolerance)
                    costs.append((time.process_time() - middle) / (middle - started) - 1)
                print(
                    f"{str(dtype)[6:]}, trained {way:<11}, products {products:<18}, residual {tolerance:g}: "
                    f"{count:4.1f} products a record, median error {error:.0e}, "
                    f"{100 * statistics.median(costs):4.0f} % more time",
                    flush=True,
                )


if __name__ == "__main__":
    main()
