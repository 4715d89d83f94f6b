"""The lazy endpoint in closed form beside the 10,000 steps of gradient descent that it replaces, at equal error.

The problem is that of lazy/chizat2019-init-scale: 1000 samples of 100 coordinates, 50 units, large first weights. What
is timed for the closed form is all that it needs: the tangent kernel, its eigendecomposition, and the test predictions.
Baselines: the steps on the network itself from tau = 3, by hand-written gradients in float64 (float32 loses its small
steps); and the same steps on the linearised model in the n x n kernel, which is the best that these steps can be. Both
are timed on some of their steps, whose cost does not change. Before that, all three give one test loss: the kernel's
steps that of the closed form to 1e-8, the network's to 1 %. One thread, float64, processor time, medians.
Run: python benchmarks/lazy/endpoint.py
"""

import statistics
import time
from collections.abc import Callable
from itertools import repeat

import torch

from resodectl.experiment.context import Context
from resodectl.families.lazy.init_scale.simulation import Drawn, draw
from resodectl.families.lazy.init_scale.spec import Point
from resodectl.families.lazy.students import descend, half_mean_square, residuals, sizes
from resodectl.families.lazy.tangent import tangent_kernel
from resodectl.numerics.kernels.descent import after_steps, modes

torch.set_num_threads(1)
TAU, LR, STEPS, TIMED, REPETITIONS, BAR = 3.0, 0.1, 10_000, 100, 3, 10.0


def seconds(call: Callable[[], object]) -> float:
    """The median processor time of a call."""
    times = []
    for _ in range(REPETITIONS):
        begun = time.process_time()
        call()
        times.append(time.process_time() - begun)
    return statistics.median(times)


def loss_on_test(data: Drawn, predictions: torch.Tensor) -> float:
    return half_mean_square(predictions - data.test.targets).item()


def closed(data: Drawn) -> float:
    kernel, cross = (tangent_kernel(data.first, of.inputs, data.train.inputs) for of in (data.train, data.test))
    coefficients = after_steps(modes(kernel, data.train.targets), [STEPS], LR)
    return loss_on_test(data, (cross @ coefficients).squeeze(2))


def in_kernel(data: Drawn, steps: int) -> float:
    kernel, cross = (tangent_kernel(data.first, of.inputs, data.train.inputs)[0] for of in (data.train, data.test))
    targets, rate = data.train.targets[0], LR / len(kernel)
    coefficients = torch.zeros_like(targets)
    for _ in range(steps):
        coefficients.add_(targets - kernel @ coefficients, alpha=rate)
    return loss_on_test(data, (cross @ coefficients).unsqueeze(0))


def in_weights(data: Drawn, steps: int) -> float:
    one = torch.ones(1, dtype=torch.float64)
    student = descend(data.first.scaled(TAU), repeat(data.train, steps), sizes(one * LR / TAU**2, one), one).student
    return half_mean_square(residuals(student, data.test, one)).item()


def main() -> None:
    point = Point(init_scales=(TAU,), steps=STEPS, model="network", dtype="float64")
    data = draw(point, Context((0,), torch.device("cpu"), torch.float64))
    exact = closed(data)
    descended, steps = in_weights(data, STEPS), in_kernel(data, STEPS)
    assert abs(descended / exact - 1) < 0.01, (descended, exact)
    assert abs(steps / exact - 1) < 1e-8, (steps, exact)
    ours = seconds(lambda: closed(data))
    print(f"torch {torch.__version__}, one thread; 1000 samples, 50 units, {STEPS:,} steps")
    print(f"  closed form, kernel and eigenvectors included  {ours:8.2f} s   test loss {exact:.6f}")
    baselines = (
        ("steps on the network, tau = 3", in_weights, descended),
        ("steps in the kernel", in_kernel, steps),
    )
    for name, call, loss in baselines:
        before = seconds(lambda call=call: call(data, 1))  # what does not grow with the steps
        theirs = (seconds(lambda call=call: call(data, 1 + TIMED)) - before) * STEPS / TIMED
        print(f"  {name:46s} {theirs:8.2f} s   test loss {loss:.6f}   {theirs / ours:7.1f} x")
        assert theirs > BAR * ours, (theirs, ours)


if __name__ == "__main__":
    main()
