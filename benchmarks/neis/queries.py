"""Queries of U1 for a sample: the trapezoidal rule along a path beside the joint ODE, at equal error of the estimate.

Cao & Vanden-Eijnden 2022 integrate the first two examples as one joint ODE, with 4 N queries of U1 for a sample. Along
a path, N + 1 are enough. The error of an estimate of R has two parts: that of the samples, which is the same, and that
of the grid, which is the distance of the mean weight from that of the same samples on a fine grid. The joint ODE is of
order 4 and the trapezoidal rule of order 2, so that the path has the larger part of the grid on a trained field
(example 1, where both are far below that of the samples), and the smaller one along the periodic paths of a rotation.
For each N, both parts and their sum are printed. Run: python benchmarks/neis/queries.py
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
SAMPLES = 1000


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
    exact = joint_log_weights(velocity, target, x, FINE).exp()
    sampling = (exact.std() / exact.mean() / SAMPLES**0.5).item()
    for steps in COARSE:
        errors = []
        for weigh in (joint_log_weights, log_weights):
            grid = (weigh(velocity, target, x, steps).exp().mean() / exact.mean() - 1).abs().item()
            errors.append((grid, math.hypot(grid, sampling)))
        (joint, joint_all), (path, path_all) = errors
        print(
            f"{name}, N = {steps}: joint ODE {4 * steps} queries, path {steps + 1}: {4 * steps / (steps + 1):.2f} x; "
            f"relative error of the samples {sampling:.1e}, of the grid {joint:.1e} and {path:.1e}, "
            f"of the estimate {joint_all:.4e} and {path_all:.4e}"
        )


def main() -> None:
    torch.set_num_threads(1)
    x = normal([stream(0, "fresh")], (SAMPLES, 2))
    compare("rotation", rotation(), mixture([1.0], [[3.0, 0.0]], [[0.2, 0.2]]).log_density, x)
    compare("example 1, trained", trained(), two_modes().log_density, x)


if __name__ == "__main__":
    main()
