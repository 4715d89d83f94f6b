"""The runs of the init-scale figure as one program beside a loop over runs, with the same hand-written gradients.

One cell of lazy/chizat2019-init-scale, paper profile: 27 init scales of two draws, 1000 samples, 50 units, float32. The
loop does each run by the same step, which is the best that it can be; a second one, by autograd and torch.optim.SGD, is
what a user would write. What is timed are steps, whose cost does not change. Before that, all give the same losses. On
a CPU one run fills a core with its matrix products, so that batching gains little; on a GPU a step of one run is all
launches, and the bar is that of the project. Run: python benchmarks/lazy/init_scale.py [cuda]
"""

import statistics
import sys
import time
from collections.abc import Callable
from itertools import repeat

import torch

from resodectl.experiment.context import Context
from resodectl.families.lazy.init_scale.simulation import Drawn, draw
from resodectl.families.lazy.init_scale.spec import Point
from resodectl.families.lazy.students import Samples, Student, descend, sizes

torch.set_num_threads(1)
SCALES = tuple(round(10 ** (k / 10), 4) for k in range(-22, 5))  # those in float32
SEEDS, CHECKED, TIMED, REPETITIONS, BAR = (0, 1), 50, 20, 5, 5.0


def learning_rate(scale: float) -> float:
    return min(10.0, 0.1 / scale**2)


def batched(data: Drawn, steps: int) -> torch.Tensor:
    """The losses before the last step, `(runs,)`."""
    like = data.first.output
    scales = like.new_tensor(SCALES).repeat(len(SEEDS))
    lrs = like.new_tensor([learning_rate(scale) for scale in SCALES]).repeat(len(SEEDS))
    one = torch.ones_like(scales)
    start = data.first.repeated(len(SCALES)).scaled(scales)
    return descend(start, repeat(data.train, steps), sizes(lrs, one), one).losses[-1]


def looped(data: Drawn, steps: int, runs: int) -> torch.Tensor:
    """The same, one run after the other."""
    losses = []
    one = torch.ones(1, dtype=data.first.output.dtype, device=data.first.output.device)
    for seed, scale in list(_runs())[:runs]:
        own = Samples(data.train.inputs[[seed]], data.train.targets[[seed]])
        first = Student(data.first.hidden[[seed]], data.first.output[[seed]]).scaled(scale)
        losses.append(descend(first, repeat(own, steps), sizes(learning_rate(scale) * one, one), one).losses[-1])
    return torch.cat(losses)


def by_autograd(data: Drawn, steps: int, runs: int) -> torch.Tensor:
    """The same with torch's own tools."""
    losses = []
    for seed, scale in list(_runs())[:runs]:
        hidden, output = ((scale * of[seed]).clone().requires_grad_() for of in data.first)
        optimiser = torch.optim.SGD([hidden, output], lr=learning_rate(scale))
        for _ in range(steps):
            optimiser.zero_grad()
            values = torch.relu(data.train.inputs[seed] @ hidden.T) @ output
            loss = (values - data.train.targets[seed]).square().mean() / 2
            loss.backward()
            optimiser.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def _runs() -> list[tuple[int, float]]:
    return [(seed, scale) for seed in range(len(SEEDS)) for scale in SCALES]


def seconds(call: Callable[[], object], device: torch.device) -> float:
    """The median time of a call: of the processor, or on a GPU of the clock."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    times = []
    for _ in range(REPETITIONS):
        begun = clock()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(clock() - begun)
    return statistics.median(times)


def main() -> None:
    device = torch.device(sys.argv[1] if len(sys.argv) > 1 else "cpu")
    point = Point(init_scales=SCALES, steps=100, model="network")
    data = draw(point, Context(SEEDS, device, torch.float32))
    few = 4  # runs of the loops that are timed
    ours = batched(data, CHECKED)
    for call in (looped, by_autograd):
        torch.testing.assert_close(call(data, CHECKED, few), ours[:few], rtol=1e-4, atol=1e-7)
    count = len(SCALES) * len(SEEDS)
    together = seconds(lambda: batched(data, TIMED), device) / TIMED
    print(f"torch {torch.__version__}, {device}, one thread; a step of {count} runs, float32")
    print(f"  one program               {1e3 * together:8.2f} ms")
    for name, call in (("loop, same gradients", looped), ("loop, autograd and SGD", by_autograd)):
        theirs = seconds(lambda call=call: call(data, TIMED, few), device) / TIMED * count / few
        print(f"  {name:24s}  {1e3 * theirs:8.2f} ms   {theirs / together:6.1f} x")
        assert device.type == "cpu" or theirs > BAR * together, (theirs, together)


if __name__ == "__main__":
    main()
