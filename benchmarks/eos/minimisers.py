"""One step of the flow of log-sharpness along a network's minimisers, and many learning rates of a toy, side by side.

The step is a midpoint step with its two projections and landings, on a network with 400 residuals. Baseline: the same
step with `torch.linalg.pinv` of the Jacobian wherever it is needed, Gauss-Newton with a new Jacobian each time, and
lambda_1 and its eigenvector from the dense Hessian. Both end at the same weights before anything is timed. The second
comparison is one batched program for five learning rates beside a loop of one program each.
Run: python benchmarks/eos/minimisers.py
"""

import statistics
import time
from collections.abc import Callable

import torch

from resodectl.experiment.context import stream
from resodectl.families.eos.images import drawn_images
from resodectl.families.eos.limit_flow.simulation import descend
from resodectl.families.eos.toys import TOYS
from resodectl.numerics.curvature.minimisers import GaussNewton, SharpnessFlow, jacobian, retract, squared
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.networks.activations import ACTIVATIONS
from resodectl.numerics.networks.perceptron import Perceptron, torch_default

torch.set_num_threads(1)
STEP = 0.05
NETWORK = Perceptron((64, 24, 10), ACTIVATIONS["gelu"])
IMAGES, _ = drawn_images("digits", None, 40, TensorPlace())


def residuals(weights: torch.Tensor) -> torch.Tensor:
    errors = NETWORK.outputs(weights, IMAGES.flat().inputs) - IMAGES.one_hot()
    return errors.flatten(1) / len(IMAGES.classes) ** 0.5


def ours(weights: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    flow = SharpnessFlow(squared(residuals), "log-sharpness", lambda at: GaussNewton(residuals, at))
    return flow.advance(weights, start, STEP)[0]


def plain(weights: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """The same by the formulas; `start` plays no part."""

    def losses(flat: torch.Tensor) -> torch.Tensor:
        return residuals(flat.unsqueeze(0)).square().sum()

    def velocity(at: torch.Tensor) -> torch.Tensor:
        flat = at[0]
        values, vectors = torch.linalg.eigh(torch.func.hessian(losses)(flat))
        vector = vectors[:, -1]
        leaf = flat.detach().requires_grad_()
        (slope,) = torch.autograd.grad(losses(leaf), leaf, create_graph=True)
        (product,) = torch.autograd.grad(slope @ vector, leaf, create_graph=True)
        (uphill,) = torch.autograd.grad(product @ vector, leaf)
        rows = jacobian(residuals, at)[0]
        return -(uphill - torch.linalg.pinv(rows) @ (rows @ uphill)).unsqueeze(0) / values[-1]

    def landed(at: torch.Tensor) -> torch.Tensor:
        while residuals(at).norm() > 1e-10:
            at = at - (torch.linalg.pinv(jacobian(residuals, at)[0]) @ residuals(at)[0]).unsqueeze(0)
        return at

    middle = landed(weights + STEP / 2 * velocity(weights))
    return landed(weights + STEP * velocity(middle))


def ratio(fast: Callable[[], object], slow: Callable[[], object], repetitions: int) -> float:
    """The median over repetitions of the time of `slow` over that of `fast`."""
    ratios = []
    for _ in range(repetitions):
        started = time.perf_counter()
        fast()
        middle = time.perf_counter()
        slow()
        ratios.append((time.perf_counter() - middle) / (middle - started))
    return statistics.median(ratios)


def flow_step() -> None:
    first = torch_default(NETWORK, lambda name: [stream(0, "weights", name)])
    weights = retract(residuals, first)
    start = torch.ones_like(weights)[:, None]
    a, b = ours(weights, start), plain(weights, start)
    moved = (a - weights).norm()
    # The landings differ: ours moves within one normal space, which is a difference of third order in the step.
    assert (a - b).norm() < 0.02 * moved, ((a - b).norm(), moved)
    times = ratio(lambda: ours(weights, start), lambda: plain(weights, start), 3)
    print(f"a step of the flow of a network with {NETWORK.size} weights: {times:.1f} x less time than by the formulas")


def learning_rates() -> None:
    toy, steps = TOYS["surface"], 2000
    rates = torch.tensor([0.1, 0.05, 0.04, 0.02, 0.01], dtype=torch.float64)

    def together() -> torch.Tensor:
        return descend(toy, "normalised", toy.start(rates), rates, steps)

    def looped() -> torch.Tensor:
        return torch.cat([descend(toy, "normalised", toy.start(rate), rate, steps) for rate in rates.split(1)], 1)

    torch.testing.assert_close(together(), looped())
    print(f"five learning rates of a toy as one program: {ratio(together, looped, 5):.1f} x less time than in a loop")


def main() -> None:
    print(f"torch {torch.__version__}, one thread, medians of ratios of interleaved repetitions")
    flow_step()
    learning_rates()


if __name__ == "__main__":
    main()
