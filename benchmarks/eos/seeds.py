"""Training all seeds of a cell as one program beside a loop of one seed after the other, at equal dtype and threads.

What is timed is a step of the stand-ins of eos/arora2022-network (normalised descent, hand-written gradient) and of
eos/lyu2022-network (weight decay, autograd). Before that, both give the same weights.
Run: python benchmarks/eos/seeds.py
"""

import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from resodectl.experiment.context import stream
from resodectl.numerics.curvature.mean_square import MeanSquareHessian
from resodectl.numerics.curvature.operators import SummedHessian
from resodectl.numerics.descent.full_batch import decayed_step, normalised_step
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.networks.activations import ACTIVATIONS
from resodectl.numerics.networks.normalised_perceptron import NormalisedPerceptron
from resodectl.numerics.networks.perceptron import Perceptron, torch_default
from resodectl.training.images import training_images
from resodectl.training.scalings import by_root_mean_square, unscaled

torch.set_num_threads(1)
STEPS, REPETITIONS = 50, 7

Step = Callable[[torch.Tensor], torch.Tensor]


def normalised(seeds: list[int]) -> tuple[torch.Tensor, Step]:
    images = training_images("digits", None, TensorPlace(), by_root_mean_square, 40).flat()
    inputs, targets = images.inputs, images.one_hot()
    network = Perceptron((64, 24, 10), ACTIVATIONS["gelu"])
    start = torch_default(network, lambda name: [stream(seed, name) for seed in seeds])
    return start, lambda w: normalised_step(w, MeanSquareHessian(network, w, inputs, targets, 1.0).gradient, 0.05)


def decayed(seeds: list[int]) -> tuple[torch.Tensor, Step]:
    images = training_images("digits", None, TensorPlace(), unscaled, 150)
    network = NormalisedPerceptron((64, 32, 32, 10))
    start, head = network.initial(lambda name: [stream(seed, name) for seed in seeds])

    def losses(w: torch.Tensor) -> torch.Tensor:
        logits = 3 * network.outputs(w, head, images.inputs).flatten(0, 1)
        return F.cross_entropy(logits, images.classes.repeat(len(w)), reduction="none").view(len(w), -1).mean(1)

    return start, lambda w: decayed_step(w, SummedHessian([losses], w).gradient, 0.3, 7e-4)


def trained(start: torch.Tensor, step: Step) -> tuple[torch.Tensor, float]:
    """The weights after all steps, and the seconds that a step took."""
    weights, begun = start, time.perf_counter()
    for _ in range(STEPS):
        weights = step(weights)
    return weights, (time.perf_counter() - begun) / STEPS


def compare(name: str, problem: Callable[[list[int]], tuple[torch.Tensor, Step]], seeds: int) -> None:
    together, alone = problem(list(range(seeds))), [problem([seed]) for seed in range(seeds)]
    one_by_one = torch.cat([trained(*own)[0] for own in alone])
    torch.testing.assert_close(trained(*together)[0], one_by_one, rtol=1e-8, atol=1e-10)
    batched = statistics.median(trained(*together)[1] for _ in range(REPETITIONS))
    looped = statistics.median(sum(trained(*own)[1] for own in alone) for _ in range(REPETITIONS))
    print(f"{name}, {seeds} seeds: {batched * 1e3:.2f} ms a step together, {looped * 1e3:.2f} in a loop: "
          f"{looped / batched:.1f} x")  # fmt: skip


if __name__ == "__main__":
    compare("normalised descent, 64-24-10", normalised, 8)
    compare("weight decay, 64-32-32-10", decayed, 10)
