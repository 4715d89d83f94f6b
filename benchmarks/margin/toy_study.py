"""The toy study of Wang et al. 2021, 200 runs of four optimisers, as one program beside loops over the runs.

Three baselines, each one run after the other: a loop over steps and points in plain Python as the published script has
it (bhwangfy/ICML-2021-Adaptive-Bias, MLP_experiment.py), in our own words: a function for the product, the activation
and its slope, accuracies after every step; the same loop with all that is inlined and without accuracies; and NumPy
over the points. They are timed on a few runs and steps and multiplied. Before that, all give the same margins.
One thread, float64, processor time. Run: python benchmarks/margin/toy_study.py
"""

import math
import time
from collections.abc import Callable

import numpy as np
import torch

from resodectl.experiment.context import stream
from resodectl.families.margin.optimisers.simulation import run
from resodectl.families.margin.optimisers.spec import Optimiser, Point
from resodectl.families.margin.toy import Points, first_weights, points
from resodectl.numerics.draws import TensorPlace

RUNS, STEPS, COUNT, EVERY = 200, 5000, 100, 50
EPSILON, BETA, LR, GD_LR = 1e-5, 0.9, 0.1, 0.01
OPTIMISERS: tuple[Optimiser, ...] = ("gd", "adagrad", "rmsprop", "adam")
CHECKED_RUNS, CHECKED_STEPS = 3, 300
TIMED_RUNS, TIMED_STEPS = 5, 400  # of the baselines

Floats = list[float]
Gradient = Callable[[Floats], Floats]


def product(w: Floats, x: Floats) -> float:
    return w[0] * x[0] + w[1] * x[1]


def activation(z: float) -> float:
    return z if z >= 0 else z / 2


def slope(z: float) -> float:
    return 1.0 if z >= 0 else 0.5


def gradient_by_functions(inputs: list[Floats], labels: Floats) -> Gradient:
    """The gradient of the mean of exp(-y v sigma(<w, x>)), a function call for each thing; and the accuracy."""

    def gradient(weights: Floats) -> Floats:
        w, v = weights[:2], weights[2]
        total = [0.0, 0.0, 0.0]
        for x, y in zip(inputs, labels, strict=True):
            loss = math.exp(-y * v * activation(product(w, x)))
            total[0] -= loss * y * v * slope(product(w, x)) * x[0]
            total[1] -= loss * y * v * slope(product(w, x)) * x[1]
            total[2] -= loss * y * activation(product(w, x))
        right = 0
        for x, y in zip(inputs, labels, strict=True):
            right += y * v * activation(product(w, x)) > 0
        return [own / len(labels) for own in total]

    return gradient


def gradient_by_points(inputs: list[Floats], labels: Floats) -> Gradient:
    """The same inlined."""
    data = [(x1, x2, y) for (x1, x2), y in zip(inputs, labels, strict=True)]
    count, exp = len(data), math.exp

    def gradient(weights: Floats) -> Floats:
        w1, w2, v = weights
        g1 = g2 = g3 = 0.0
        for x1, x2, y in data:
            along = w1 * x1 + w2 * x2
            if along >= 0:
                pull = y * exp(-v * y * along)
                g3 -= pull * along
            else:
                pull = y * exp(-0.5 * v * y * along) / 2
                g3 -= pull * along
            g1 -= pull * x1
            g2 -= pull * x2
        return [v * g1 / count, v * g2 / count, g3 / count]

    return gradient


def gradient_by_arrays(inputs: np.ndarray, labels: np.ndarray) -> Gradient:
    """The same with NumPy over the points."""
    count = len(labels)

    def gradient(weights: Floats) -> Floats:
        w, v = np.array(weights[:2]), weights[2]
        along = inputs @ w
        slopes = np.where(along >= 0, labels, labels / 2)
        pull = slopes * np.exp(-v * slopes * along)
        g = -(pull @ inputs) / count
        return [v * float(g[0]), v * float(g[1]), float(g @ w)]

    return gradient


def descend(name: Optimiser, weights: Floats, gradient: Gradient, steps: int) -> Floats:
    """One run of one optimiser, in the published script's variant."""
    squares = [EPSILON] * 3 if name == "adagrad" else [0.0] * 3
    for step in range(steps):
        g = gradient(weights)
        if name == "gd":
            weights = [w - GD_LR * own for w, own in zip(weights, g, strict=True)]
            continue
        if name == "adagrad":
            squares = [s + own * own for s, own in zip(squares, g, strict=True)]
            roots = [math.sqrt(s) for s in squares]
        else:
            bias = 1 - BETA ** (step + 1) if name == "adam" else 1.0
            squares = [(1 - BETA) * s + BETA * own * own for s, own in zip(squares, g, strict=True)]
            roots = [math.sqrt(s / bias + EPSILON) for s in squares]
        weights = [w - LR * own / root for w, own, root in zip(weights, g, roots, strict=True)]
    return weights


def margin(weights: Floats, inputs: np.ndarray, labels: np.ndarray) -> float:
    along = inputs @ np.array(weights[:2])
    q = labels * weights[2] * np.where(along >= 0, along, along / 2)
    return float(q.min() / sum(w * w for w in weights))


def setting(steps: int) -> Point:
    return Point(
        optimisers=OPTIMISERS, variant="official", beta=BETA, epsilon=EPSILON, lr=LR, gd_lr=GD_LR, points=COUNT,
        runs=RUNS, drawn=RUNS, steps=steps, shown=(0,), every=EVERY, level=-4.0,
    )  # fmt: skip


def silent(_: float) -> None:
    """No progress is shown."""


def main() -> None:
    torch.set_num_threads(1)
    place = TensorPlace()
    data: Points = points([stream(0, "points")], COUNT, place)
    first = first_weights([stream(0, "weights")], RUNS, place)
    inputs, labels = data.inputs[0].numpy(), data.labels.numpy()
    starts = first[0].T.tolist()
    baselines = {
        "points in Python, as published": gradient_by_functions(inputs.tolist(), labels.tolist()),
        "points in Python, inlined": gradient_by_points(inputs.tolist(), labels.tolist()),
        "points in NumPy": gradient_by_arrays(inputs, labels),
    }

    ours = run(first[..., :CHECKED_RUNS], data, setting(CHECKED_STEPS), silent).runs[-1]["margin"][0]
    for gradient in baselines.values():
        for place_of, name in enumerate(OPTIMISERS):
            for number in range(CHECKED_RUNS):
                alone = margin(descend(name, starts[number], gradient, CHECKED_STEPS), inputs, labels)
                assert math.isclose(alone, ours[place_of, number], rel_tol=1e-8, abs_tol=1e-12), (name, number)
    print(f"equal margins of {CHECKED_RUNS} runs of each optimiser after {CHECKED_STEPS} steps\n")

    begun = time.process_time()
    run(first, data, setting(STEPS), silent)
    together = time.process_time() - begun
    print(
        f"{RUNS} runs of {len(OPTIMISERS)} optimisers, {STEPS} steps, {COUNT} points, as one program: {together:.1f} s"
    )
    for name, gradient in baselines.items():
        begun = time.process_time()
        for optimiser in OPTIMISERS:
            for start in starts[:TIMED_RUNS]:
                descend(optimiser, start, gradient, TIMED_STEPS)
        share = TIMED_RUNS * TIMED_STEPS / (RUNS * STEPS)
        alone = (time.process_time() - begun) / share
        print(f"one run after the other, {name}: {alone:.0f} s (1/{1 / share:.0f} timed); {alone / together:.0f} x")


if __name__ == "__main__":
    main()
