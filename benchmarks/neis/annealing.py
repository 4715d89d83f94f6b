"""Variance x queries of learned flows beside annealed importance sampling with 100 levels, at the paper's example 1.

Both are those of a sample, in units of R^2, on 20,000 fresh samples; the queries of U1 and of its gradient are counted
by the target itself. Five flows are trained as in the paper (S = 50, M = 200, N = 50), independently; the median of
their variances is taken. First the mean is shown to be R, within four standard errors for each flow, and within a fifth
for annealing, whose tail is heavy: a variance means nothing beside a wrong mean. AIS is that of the paper: Langevin
moves of step 0.1, each query made once and kept. Hamiltonian moves, the best rival that we know, are shown beside it.
Run: python benchmarks/neis/annealing.py
"""

import math
import statistics

import torch
from torch import Tensor

from resodectl.experiment.context import stream
from resodectl.numerics.draws import normal, uniform
from resodectl.numerics.sampling.annealed import Hamiltonian, Langevin, anneal
from resodectl.numerics.sampling.diagnostics import Relative, diagnose, relative
from resodectl.numerics.sampling.flows import log_weights
from resodectl.numerics.sampling.targets import Mixture, two_modes
from resodectl.numerics.sampling.training import Plan, begin, gradient_field, train_step

torch.set_num_threads(1)
FLOWS, SAMPLES, PART, BAR = 5, 20_000, 2_000, 50.0
PLAN = Plan(50, 200, 50, 0.0, lr=0.3, last_lr=0.2, assisted=0.1, assisted_until=0.6)


class Counted:
    """The first example, which counts the places at which U1 and its gradient are asked for."""

    def __init__(self, target: Mixture) -> None:
        self.target, self.queries = target, 0

    def log_density(self, x: Tensor) -> Tensor:
        self.queries += x[..., 0].numel()
        return self.target.log_density(x)

    def with_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.queries += 2 * x[..., 0].numel()
        return self.target.with_gradient(x)


class Drawn:
    """Random numbers of annealing."""

    generator = stream(0, "annealing")

    def normal(self, x: Tensor) -> Tensor:
        return normal([self.generator], x.shape)[0]

    def uniform(self, x: Tensor) -> Tensor:
        return uniform([self.generator], x.shape)[0]


def trained() -> list[Tensor]:
    """The weights of flows after training, a flow for each stream."""
    streams = [stream(seed, "training") for seed in range(FLOWS)]
    state = begin(gradient_field(streams, 2, 20, 5.0))
    while state.step < PLAN.training_steps:
        x, drawn = normal(streams, (PLAN.samples, 2)), uniform(streams, (PLAN.samples,))
        state, _ = train_step(state, PLAN, two_modes(), x, drawn)
    return list(state.velocity)


def known(logs: Tensor) -> Relative:
    return relative(diagnose(logs), math.log(two_modes().ratio))


def main() -> None:
    field = type(gradient_field([stream(0, "type")], 2, 1, 1.0))(*trained())
    streams, parts, target = [stream(seed, "fresh") for seed in range(FLOWS)], [], Counted(two_modes())
    for _ in range(SAMPLES // PART):
        parts.append(log_weights(field, target.log_density, normal(streams, (PART, 2)), PLAN.time_steps))
    flows = known(torch.cat(parts, 1))
    each = target.queries / (FLOWS * SAMPLES)
    errors = (flows.variance / SAMPLES).sqrt()
    assert ((flows.mean - 1).abs() < 4 * errors).all(), flows.mean
    variance = statistics.median(flows.variance.tolist())
    print(
        f"flows: means {', '.join(f'{mean:.3f}' for mean in flows.mean)}; median variance {variance:.2f} x {each:.0f}"
    )
    cost = variance * each
    for name, levels, moves in (("AIS-100", 100, Langevin(0.1)), ("AIS-HMC", 33, Hamiltonian(0.3, 5))):
        counted = Counted(two_modes())
        found = anneal(counted, normal([stream(0, name)], (SAMPLES, 2)), levels, moves, Drawn())
        rival = known(found.log_weight[0])
        assert abs(rival.mean.item() - 1) < 0.2, rival.mean
        if isinstance(moves, Langevin):
            assert counted.queries == found.queries * SAMPLES
        ratio = rival.variance.item() * found.queries / cost
        of_rival = f"variance {rival.variance.item():.1f} x {found.queries}"
        print(f"{name}: mean {rival.mean.item():.3f}; {of_rival}: {ratio:.0f} times")
        assert not isinstance(moves, Langevin) or ratio > BAR


if __name__ == "__main__":
    main()
