"""Queries of U1 for a sample: the trapezoidal rule along a path beside the joint ODE, at equal error.

Cao & Vanden-Eijnden 2022 integrate the first two examples as one joint ODE, with 4 N queries of U1 for a sample. Along
a path, N + 1 are enough. The error is that of log A against the same sample on a fine grid, root mean square over the
samples that carry 99.9 % of the mean, for a trained gradient field (example 1), and that of the exact weights along a
rotation. For each N of the joint ODE, the path takes the least N of the list with no larger an error.
Run: python benchmarks/neis/queries.py
"""

import math

import torch
from torch import Tensor

from resodectl.experiment.context import stream
from resodectl.numerics.draws import normal, uniform
from resodectl.numerics.sampling.flows import LogDensity, log_weights
from resodectl.numerics.sampling.joint_ode import joint_log_weights
from resodectl.numerics.sampling.targets import mixture, two_modes
from resodectl.numerics.sampling.training import Plan, begin, gradient_field, train_step
from resodectl.numerics.sampling.velocities import Linear, Velocity

PLAN = Plan(50, 200, 50, 0.0, lr=0.3, last_lr=0.2, assisted=0.1, assisted_until=0.6)
COARSE, FINE = (25, 50, 100), 800
TRIED = (25, 35, 50, 70, 100, 140, 200, 280, 400)
SAMPLES, COUNTED = 200, 0.999


def trained() -> Velocity:
    """The gradient field of 20 units of example 1 after its training."""
    state = begin(gradient_field([stream(0, "field")], 2, 20, 5.0))
    for step in range(1, PLAN.training_steps):
        streams = [stream(0, "training", step)]
        state, _ = train_step(state, PLAN, two_modes(), normal(streams, (200, 2)), uniform(streams, (200,)))
    return state.velocity


def rotation() -> Velocity:
    turn = 2 * math.pi * torch.tensor([[[0.0, -1.0], [1.0, 0.0]]], dtype=torch.float64)
    return Linear(turn, torch.zeros(1, 2, dtype=torch.float64))


def compare(name: str, velocity: Velocity, target: LogDensity, x: Tensor) -> None:
    exact = joint_log_weights(velocity, target, x, FINE)
    ordered, places = exact.sort(-1, descending=True)
    counted = places[ordered.softmax(-1).cumsum(-1) < COUNTED]

    def error(logs: Tensor) -> float:
        return (logs - exact)[0, counted].square().mean().sqrt().item()

    along = {steps: error(log_weights(velocity, target, x, steps)) for steps in TRIED}
    for steps in COARSE:
        joint = error(joint_log_weights(velocity, target, x, steps))
        enough = next((other for other in TRIED if along[other] <= joint), None)
        if enough is None:
            print(f"{name}: joint ODE N={steps}, error {joint:.1e}: the path needs more than N={TRIED[-1]}")
            continue
        ratio = 4 * steps / (enough + 1)
        print(f"{name}: joint ODE N={steps}, error {joint:.1e}, {4 * steps} queries; path N={enough}, "
              f"error {along[enough]:.1e}, {enough + 1} queries: ratio {ratio:.2f}")  # fmt: skip


def main() -> None:
    torch.set_num_threads(1)
    x = normal([stream(0, "fresh")], (SAMPLES, 2))
    compare("rotation", rotation(), mixture([1.0], [[3.0, 0.0]], [[0.2, 0.2]]).log_density, x)
    compare("example 1, trained", trained(), two_modes().log_density, x)


if __name__ == "__main__":
    main()
