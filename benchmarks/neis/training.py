"""Training steps of example 1 of Cao & Vanden-Eijnden 2022, beside a straightforward implementation with autograd.

The baseline is what one writes first, in our own words: one run after the other, the path integrated forwards and then
backwards, U1 at each of its nodes, and autograd through all of it. It is in the log domain, too, and trains for the
same loss on the same samples; both give the same weights after some steps. Five runs of the gradient field of 20 units.
One thread, float64, processor time; each round times both, and the least time of each counts.
Run: python benchmarks/neis/training.py
"""

import math
import time

import torch
from torch import Tensor

from resodectl.experiment.context import stream
from resodectl.numerics.draws import normal, uniform
from resodectl.numerics.sampling.targets import Mixture, two_modes
from resodectl.numerics.sampling.training import Plan, assist_probability, begin, gradient_field, train_step

RUNS, UNITS, DIM = 5, 20, 2
PLAN = Plan(50, 200, 50, 0.0, lr=0.3, last_lr=0.2, assisted=0.1, assisted_until=0.6)
CHECKED, TIMED, ROUNDS = 4, 2, 7
SEEDS = range(RUNS)


class Net(torch.nn.Module):
    """grad V of V(x) = w2 . softplus(W1 x + b1), for the points of one run."""

    def __init__(self, inner: Tensor, bias: Tensor, outer: Tensor) -> None:
        super().__init__()
        self.inner, self.bias, self.outer = (torch.nn.Parameter(of.clone()) for of in (inner, bias, outer))

    def forward(self, x: Tensor) -> Tensor:
        return (torch.sigmoid(x @ self.inner.T + self.bias) * self.outer) @ self.inner

    def divergence(self, x: Tensor) -> Tensor:
        gates = torch.sigmoid(x @ self.inner.T + self.bias)
        return (gates * (1 - gates)) @ (self.outer * self.inner.square().sum(1))


def rk4(f, x: Tensor, h: float) -> Tensor:  # type: ignore[no-untyped-def]
    k1 = f(x)
    k2 = f(x + h / 2 * k1)
    k3 = f(x + h / 2 * k2)
    k4 = f(x + h * k3)
    return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def log_weights(net: Net, target: Mixture, x: Tensor, steps: int) -> Tensor:
    """log A with t- = 0, by the trapezoidal rule along the path."""
    forwards, backwards = [x], [x]
    for _ in range(steps):
        forwards.append(rk4(net, forwards[-1], 1 / steps))
        backwards.append(rk4(net, backwards[-1], -1 / steps))
    nodes = torch.stack(backwards[:0:-1] + forwards)
    divergence = net.divergence(nodes)
    areas = (divergence[1:] + divergence[:-1]) / (2 * steps)
    log_jacobian = torch.cat([torch.zeros(1, x.shape[0], dtype=x.dtype), areas.cumsum(0)])
    log_jacobian = log_jacobian - log_jacobian[steps]
    log_f0 = -nodes.square().sum(-1) / 2 + log_jacobian
    log_f1 = target.log_density(nodes) + log_jacobian
    largest = log_f0.amax(0).detach()
    f0 = (log_f0 - largest).exp()
    total = torch.cat([torch.zeros(1, x.shape[0], dtype=x.dtype), ((f0[1:] + f0[:-1]) / (2 * steps)).cumsum(0)])
    windows = total[steps:] - total[: steps + 1]
    terms = log_f1[steps:] - largest - windows.log()
    ends = torch.full((steps + 1, 1), -math.log(steps), dtype=x.dtype)
    ends[0] = ends[-1] = -math.log(2 * steps)
    return torch.logsumexp(terms + ends, 0)


def baseline_step(nets: list[Net], step: int, target: Mixture, x: Tensor, uniforms: Tensor) -> None:
    for net, x_of_run, u in zip(nets, x, uniforms, strict=True):
        start = x_of_run.clone()
        carried = u < assist_probability(PLAN, step)
        ends = start[carried]
        for _ in range(PLAN.time_steps):
            ends = rk4(lambda places: target.with_gradient(places)[1], ends, 1 / PLAN.time_steps)
        start[carried] = ends
        logs = log_weights(net, target, start, PLAN.time_steps)
        loss = (2 * (logs - logs.detach().max())).exp().mean()
        gradients = torch.autograd.grad(loss, list(net.parameters()))
        norm = torch.cat([of.flatten() for of in gradients]).norm()
        length = PLAN.lr / (1 + (1 / PLAN.last_lr - 1) / PLAN.training_steps * step)
        with torch.no_grad():
            for weights, gradient in zip(net.parameters(), gradients, strict=True):
                weights -= length / norm * gradient


def draws(step: int) -> tuple[Tensor, Tensor]:
    streams = [stream(seed, "training", step) for seed in SEEDS]
    return normal(streams, (PLAN.samples, DIM)), uniform(streams, (PLAN.samples,))


def main() -> None:
    torch.set_num_threads(1)
    target = two_modes()
    state = begin(gradient_field([stream(seed, "field") for seed in SEEDS], DIM, UNITS, 5.0))
    nets = [Net(*(of[run] for of in state.velocity)) for run in SEEDS]
    for step in range(1, CHECKED + 1):
        x, uniforms = draws(step)
        state, _ = train_step(state, PLAN, target, x, uniforms)
        baseline_step(nets, step, target, x, uniforms)
    for run, net in enumerate(nets):
        for ours, theirs in zip(state.velocity, net.parameters(), strict=True):
            torch.testing.assert_close(ours[run], theirs.detach(), rtol=1e-6, atol=1e-8)

    rounds = []
    for _ in range(ROUNDS):
        spent = []
        for ours in (True, False):
            begun = time.process_time()
            for step in range(1, TIMED + 1):
                x, uniforms = draws(step)
                if ours:
                    train_step(state, PLAN, target, x, uniforms)
                else:
                    baseline_step(nets, step, target, x, uniforms)
            spent.append((time.process_time() - begun) / TIMED)
        rounds.append(spent)
    least = [min(of) for of in zip(*rounds, strict=True)]
    ratios = sorted(theirs / ours for ours, theirs in rounds)
    print(f"a step of {RUNS} runs: {least[0]:.3f} s, straightforward autograd {least[1]:.3f} s")
    print(f"ratio: {least[1] / least[0]:.2f} (in single rounds from {ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
