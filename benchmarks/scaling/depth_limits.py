"""Networks beside their limits: all seeds, paths and depths at once, and as one would write it for a single network.

Baselines: linear networks trained by autograd through one matrix a layer, one network a run, as the official code of
Sander et al. 2022 has it; scipy's solve_ivp from layer to layer for one input of one neural ODE; one Brownian path of
one network and its SDE in plain tensors. Each is timed on a few runs and multiplied. Before that, both sides give the
same numbers. In float64 on one thread, processor time.
Run: python benchmarks/scaling/depth_limits.py
"""

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy.integrate import solve_ivp

from resodectl.experiment.context import Context, stream
from resodectl.families.scaling.limits import simulation as limits
from resodectl.families.scaling.limits import spec as limits_spec
from resodectl.families.scaling.linear_residuals.simulation import gradient
from resodectl.families.scaling.ode_distance import simulation as distance
from resodectl.families.scaling.ode_distance import spec as distance_spec
from resodectl.numerics.draws import normal
from resodectl.numerics.weights.depth import smooth_at

SEEDS = 8
TARGET = torch.tensor([[-0.8744, -0.9937], [0.7185, 0.3015]], dtype=torch.float64)


def seconds(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.process_time()
    found = work()
    return found, time.process_time() - started


def report(name: str, baseline: float, ours: float) -> None:
    print(f"{name}: {baseline:,.2f} s as single runs, {ours:.2f} s at once, {baseline / ours:,.0f} x", flush=True)


def linear(steps: int = 20, depths: tuple[int, ...] = (8, 16, 32, 64, 128, 256, 512)) -> None:
    """Gradient descent on linear networks from rough weights."""
    start = {n: 0.25 * normal([stream(s, n) for s in range(SEEDS)], (n, 2, 2)).transpose(0, 1) for n in depths}

    def together() -> dict[int, torch.Tensor]:
        trained = {depth: layers.clone() for depth, layers in start.items()}
        for _ in range(steps):
            for layers in trained.values():
                layers -= gradient(layers, TARGET)[1]
        return trained

    def single(depth: int, seed: int) -> torch.Tensor:
        layers = [torch.nn.Parameter(layer.clone()) for layer in start[depth][:, seed]]
        optimiser = torch.optim.SGD(layers, lr=depth)
        for _ in range(steps):
            optimiser.zero_grad()
            x = torch.eye(2, dtype=torch.float64)
            for layer in layers:
                x = x + x @ layer / depth
            (x - TARGET).square().mean().backward()
            optimiser.step()
        return torch.stack([layer.detach() for layer in layers])

    ours, own = seconds(together)
    plain, one = seconds(lambda: {depth: single(depth, 0) for depth in depths})
    for depth in depths:
        torch.testing.assert_close(ours[depth][:, 0], plain[depth], rtol=1e-9, atol=1e-11)
    report(f"linear networks, {len(depths)} depths, {SEEDS} seeds, {steps} steps", SEEDS * one, own)


def ode(depth: int = 64, batch: int = 32) -> None:
    """The distance of networks to the ODEs that interpolate them."""
    point = distance_spec.Point(
        field="alternating", depth=depth, dim=4, batch=batch, gain=1.5, residual_exponent=1.0, dtype="float64"
    )
    context = Context(tuple(range(SEEDS)), torch.device("cpu"), torch.float64)
    field = distance._perceptrons(point, context)

    def single(seed: int, sample: int) -> float:
        streams = [stream(seed, "weights")]
        smooth = smooth_at(torch.arange(depth + 1, dtype=torch.float64) / depth, streams, (4, 4))[:, 0].mT.numpy()
        jump = normal(streams, (4, 4))[0].T.numpy()
        weights = [0.75 * (matrix + (-1) ** n * jump) for n, matrix in enumerate(smooth)]
        network = solution = field.start[seed, sample].numpy()
        largest = 0.0
        for n, (here, there) in enumerate(pairwise(weights)):
            network = network + np.tanh(here @ network) / depth
            found = solve_ivp(
                lambda s, x, n=n, here=here, there=there: np.tanh((here + (s * depth - n) * (there - here)) @ x),
                (n / depth, (n + 1) / depth),
                solution,
                rtol=1e-9,
                atol=1e-9,
            )
            solution = found.y[:, -1]
            largest = max(largest, float(np.linalg.norm(network - solution)))
        return largest

    (ours, _), own = seconds(lambda: distance.compare(field, depth, 1 / depth, context))
    plain, one = seconds(lambda: max(single(0, sample) for sample in range(batch)))
    assert abs(float(ours[0]) - plain) < 1e-6, (float(ours[0]), plain)
    report(f"neural ODEs of {depth} layers, {SEEDS} seeds, {batch} inputs", SEEDS * one, own)


def sde(paths: int = 200, depth: int = 256, steps: int = 4096, timed: int = 4) -> None:
    """A network and the SDE on the same paths."""
    point = limits_spec.Point(
        limit="ito-sde", alpha=0.0, beta=1.0, activation="exp", noise=0.3, depths=(depth,), reference_steps=steps,
        paths=paths, dim=4, gain=1.5, dtype="float64",
    )  # fmt: skip
    context = Context(tuple(range(SEEDS)), torch.device("cpu"), torch.float64)
    activation = limits.ACTIVATIONS["exp"]
    start = limits._start(point, context)
    coarse = limits.smooth_weights(point, context, torch.arange(depth) / depth)
    fine = limits.smooth_weights(point, context, torch.arange(steps) / steps)
    streams = context.streams("paths")
    pieces = [limits._increments(point, streams, 64, context) for _ in range(64)]

    def together() -> tuple[torch.Tensor, torch.Tensor]:
        network, limit = start, start[None]
        for n, piece in enumerate(pieces):
            sums = piece.unflatten(0, (depth // 64, -1)).sum(1)
            network = limits.network(
                network, coarse[n * depth // 64 : (n + 1) * depth // 64], sums, depth, point, activation
            )
            limit = limits.ito(limit, fine[n * steps // 64 : (n + 1) * steps // 64], piece, (0.5,), point, activation)
        return network, limit[0]

    def single(seed: int, path: int) -> tuple[torch.Tensor, torch.Tensor]:
        increments = torch.cat([piece[:, seed, path] for piece in pieces])
        h, flow = torch.full((4,), 0.5, dtype=torch.float64), torch.eye(4, dtype=torch.float64)
        for theta in coarse[:, seed, 0] / depth + increments.unflatten(0, (depth, -1)).sum(1):
            z = theta[:, 1:] @ h + theta[:, 0]
            flow = flow + torch.exp(z)[:, None] * (theta[:, 1:] @ flow)
            h = h + torch.expm1(z)
        x, jacobian = torch.full((4,), 0.5, dtype=torch.float64), torch.eye(4, dtype=torch.float64)
        for theta in fine[:, seed, 0] / steps + increments:
            drift = 0.5 * 0.3**2 / steps
            slope = theta[:, 1:] @ jacobian + 2 * drift * (x @ jacobian)
            x = x + theta[:, 1:] @ x + theta[:, 0] + drift * (x @ x + 1)
            jacobian = jacobian + slope
        return torch.cat([h[:, None], flow], 1), torch.cat([x[:, None], jacobian], 1)

    ours, own = seconds(together)
    plain, one = seconds(lambda: [single(0, path) for path in range(timed)])
    for path, both in enumerate(plain):
        for found, expected in zip(ours, both, strict=True):
            torch.testing.assert_close(found[0, path], expected, rtol=1e-9, atol=1e-10)
    report(f"SDEs of {steps} steps, {SEEDS} seeds, {paths} paths", SEEDS * paths / timed * one, own)


def main() -> None:
    torch.set_num_threads(1)
    linear()
    ode()
    sde()


if __name__ == "__main__":
    main()
