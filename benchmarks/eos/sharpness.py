"""One value of sharpness along a training, beside what one would pick instead, to a relative error of 1e-3.

Baselines: what the papers' own codes call, here for one eigenvalue and with the gradient's graph kept, which favours
them: `eigsh` with its defaults, the largest magnitude to machine precision (Cohen et al. 2021,
locuslab/edge-of-stability), and 100 steps of power iteration (Arora, Li & Panigrahi 2022). Then what one would pick
today: `eigsh` for the largest algebraic eigenvalue at a tolerance that gives our error, from a cold start on the same
products, and curvlinops' Hessian operator with it, where it is installed. The network is the one of
eos/cohen2021eos-sharpening at its edge of stability, where the second eigenvalue is near the first: there 100 power
steps do not even reach that error.
Run: python benchmarks/eos/sharpness.py
"""

import importlib.util
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh

from resodectl.experiment.context import stream
from resodectl.numerics.curvature.lanczos import largest
from resodectl.numerics.curvature.mean_square import MeanSquareHessian
from resodectl.numerics.curvature.operators import Hessian
from resodectl.numerics.descent.full_batch import gradient_step
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.networks.perceptron import Perceptron, torch_default
from resodectl.training.images import training_images
from resodectl.training.scalings import by_root_mean_square

torch.set_num_threads(1)
NETWORK, LR, FACTOR = Perceptron((64, 32, 32, 10)), 0.5, 0.5
FIRST, EVERY, RECORDS = 600, 10, 21
TOLERANCE, EIGSH = 6e-3, 1e-2  # residuals at which the errors of both have the same size, typical and largest
ACCURACY = 1e-3
POWER_STEPS = 100

IMAGES = training_images("digits", None, TensorPlace(), by_root_mean_square, 200).flat()
INPUTS, TARGETS = IMAGES.inputs, IMAGES.one_hot()
Method = Callable[[torch.Tensor], tuple[float, int]]
"""Weights -> sharpness and products that it took."""


def losses(weights: torch.Tensor) -> torch.Tensor:
    return FACTOR * (NETWORK.outputs(weights, INPUTS) - TARGETS).square().sum(2).mean(1)


def trajectory() -> list[torch.Tensor]:
    """Weights at the records; two records come before those that are timed, so that ours has a start."""
    weights, found = torch_default(NETWORK, lambda name: [stream(0, "weights", name)]), []
    for step in range(FIRST + EVERY * (RECORDS - 1) + 1):
        if step >= FIRST and (step - FIRST) % EVERY == 0:
            found.append(weights)
        weights = gradient_step(weights, MeanSquareHessian(NETWORK, weights, INPUTS, TARGETS, FACTOR).gradient, LR)
    return found


def cold(seed: int = 0) -> torch.Tensor:
    return torch.randn(1, 1, NETWORK.size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


class Ours:
    """Lanczos from the last record on."""

    def __init__(self, by_hand: bool) -> None:
        self.by_hand, self.start = by_hand, cold()

    def __call__(self, weights: torch.Tensor) -> tuple[float, int]:
        if self.by_hand:
            found = largest(
                MeanSquareHessian(NETWORK, weights, INPUTS, TARGETS, FACTOR), self.start, tolerance=TOLERANCE
            )
        else:
            found = largest(Hessian(losses, weights), self.start, tolerance=TOLERANCE)
        self.start = found.start
        return found.values.item(), int(found.products)


def power_iteration(weights: torch.Tensor) -> tuple[float, int]:
    """As Arora et al."""
    hessian = Hessian(losses, weights)
    vector = hessian.gradient / hessian.gradient.norm()
    for _ in range(POWER_STEPS):
        product = hessian @ vector
        value = product.norm()
        vector = product / value
    return value.item(), POWER_STEPS


def scipy_eigsh(weights: torch.Tensor, which: str = "LA", tolerance: float = EIGSH) -> tuple[float, int]:
    hessian, count = Hessian(losses, weights), [0]

    def product(vector: np.ndarray) -> np.ndarray:
        count[0] += 1
        return (hessian @ torch.from_numpy(vector).view(1, -1)).numpy().ravel()

    operator = LinearOperator((NETWORK.size, NETWORK.size), matvec=product, dtype=np.float64)
    start = cold().numpy().ravel()
    (value,) = eigsh(operator, 1, which=which, tol=tolerance, v0=start, return_eigenvectors=False)
    return float(value), count[0]


def default_eigsh(weights: torch.Tensor) -> tuple[float, int]:
    """As Cohen et al."""
    return scipy_eigsh(weights, "LM", 0.0)


def curvlinops_eigsh(weights: torch.Tensor) -> tuple[float, int]:
    from curvlinops import HessianLinearOperator

    layers: list[torch.nn.Module] = []
    for inputs, outputs in zip(NETWORK.widths, NETWORK.widths[1:], strict=False):
        layers += [torch.nn.Linear(inputs, outputs, dtype=torch.float64), torch.nn.Tanh()]
    model = torch.nn.Sequential(*layers[:-1])
    torch.nn.utils.vector_to_parameters(weights[0], model.parameters())
    loss = torch.nn.MSELoss(reduction="mean")  # over samples and outputs: 10 / 2 of it is ours
    data = [(INPUTS, TARGETS)]
    operator = HessianLinearOperator(model, loss, list(model.parameters()), data, check_deterministic=False).to_scipy()
    count = [0]

    def product(vector: np.ndarray) -> np.ndarray:
        count[0] += 1
        return operator @ vector

    counted = LinearOperator(operator.shape, matvec=product, dtype=np.float64)
    (value,) = eigsh(counted, 1, which="LA", tol=EIGSH, v0=cold().numpy().ravel(), return_eigenvectors=False)
    return float(value) * TARGETS.shape[1] * FACTOR, count[0]


def main() -> None:
    records = trajectory()
    exact = [largest(Hessian(losses, weights), cold(), tolerance=1e-9, most=300).values.item() for weights in records]
    methods: dict[str, Method] = {
        "ours, by hand": Ours(True),
        "ours, double backward": Ours(False),
        "eigsh, Cohen et al.": default_eigsh,
        "power, Arora et al.": power_iteration,
        "eigsh, at our error": scipy_eigsh,
    }
    if importlib.util.find_spec("curvlinops") is not None:
        methods["curvlinops + eigsh"] = curvlinops_eigsh
    times: dict[str, list[float]] = {name: [] for name in methods}
    products: dict[str, list[int]] = {name: [] for name in methods}
    errors: dict[str, list[float]] = {name: [] for name in methods}
    for number, weights in enumerate(records):
        for name, method in methods.items():
            started = time.perf_counter()
            value, count = method(weights)
            seconds = time.perf_counter() - started
            if number:  # the first record is a cold start for ours too
                times[name].append(seconds)
                products[name].append(count)
                errors[name].append(abs(value / exact[number] - 1))
    for name, found in errors.items():
        allowed = 10 * ACCURACY if name == "power, Arora et al." else ACCURACY
        assert statistics.median(found) < allowed, (name, statistics.median(found))
    print(f"torch {torch.__version__}, one thread, float64, {NETWORK.size} weights, {RECORDS - 1} records")
    print(f"{'':<24}{'products':>10}{'ms':>9}{'time':>9}{'median error':>14}{'largest':>10}")
    base = statistics.median(times["ours, by hand"])
    for name in methods:
        middle = statistics.median(times[name])
        print(
            f"{name:<24}{statistics.mean(products[name]):>10.1f}{1e3 * middle:>9.2f}{middle / base:>8.1f}x"
            f"{statistics.median(errors[name]):>14.1e}{max(errors[name]):>10.1e}"
        )


if __name__ == "__main__":
    main()
