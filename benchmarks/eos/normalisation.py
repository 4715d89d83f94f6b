"""Descent on scale-invariant losses beside what one would write instead: all in one run, on one thread.

Baselines: numpy's `eigvalsh` for the sharpness on the sphere, at every step or for all steps at once; autograd through
the loss of matrix completion, one seed after the other. Before anything is timed, both sides give the same numbers.
Run: python benchmarks/eos/normalisation.py
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from resodectl.experiment.context import stream
from resodectl.families.eos.batchnorm_completion.problem import Problem, draw
from resodectl.families.eos.sphere.simulation import descend, initial, spherical_sharpness
from resodectl.numerics.curvature.operators import dense, spherical_hessian
from resodectl.numerics.descent.full_batch import decayed_step

torch.set_num_threads(1)
REPETITIONS = 7
A, LR, DECAY = 4.0, 0.1, 1e-3
SEEDS, STEPS = 8, 100


def seconds(call: Callable[[], object]) -> float:
    """The median time of a call."""
    times = []
    for _ in range(REPETITIONS):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def sphere() -> None:
    """The sharpness of 500 steps of 8 seeds: closed form, against eigvalsh of the dense spherical Hessian."""
    path = descend(initial(np.linspace(0.4, 0.6, SEEDS), A, LR, DECAY, None), 500, A, LR, 1 - LR * DECAY)
    u = path / np.linalg.norm(path, axis=1, keepdims=True)
    rows = torch.from_numpy(np.ascontiguousarray(u.transpose(0, 2, 1)).reshape(-1, 3))

    def losses(w: torch.Tensor) -> torch.Tensor:
        unit = w / w.norm(dim=1, keepdim=True)
        return (1 + A * unit[:, 0] ** 2) * unit[:, 2] ** 2 / 2

    hessians = dense(spherical_hessian(losses, rows)).numpy()
    expected = np.linalg.eigvalsh(hessians)[:, -1]
    np.testing.assert_allclose(spherical_sharpness(u, A).ravel(), expected, rtol=1e-9)
    ours = seconds(lambda: spherical_sharpness(u, A))
    steps = hessians.reshape(len(u), SEEDS, 3, 3)
    print("sharpness of 500 steps, 8 seeds, on the sphere (the baselines are given their matrices)")
    print(f"  closed form, Hessian included    {1e3 * ours:8.1f} ms")
    for name, call in {
        "eigvalsh, all steps at once": lambda: np.linalg.eigvalsh(hessians),
        "eigvalsh, step by step": lambda: [np.linalg.eigvalsh(matrices) for matrices in steps],
        "eigvalsh, step by step and seed by seed": lambda: [np.linalg.eigvalsh(matrix) for matrix in hessians],
    }.items():
        theirs = seconds(call)
        print(f"  {name:40s} {1e3 * theirs:8.1f} ms   {theirs / ours:6.1f} x")


def completion() -> None:
    """100 steps of matrix completion: 8 seeds as one program without autograd, against one seed after the other."""
    seeds = [stream(seed, "problem") for seed in range(SEEDS)]
    problem, weights = draw(seeds, 20, 2, 200, 20, torch.float64, torch.device("cpu"))

    def ours() -> torch.Tensor:
        w = weights
        for _ in range(STEPS):
            w = decayed_step(w, problem.gradient(w), 0.5, 5e-4)
        return w

    def alone(run: int) -> torch.Tensor:
        own = Problem(problem.target[run : run + 1], problem.observed[run : run + 1], problem.count)
        w = weights[run : run + 1].clone().requires_grad_()
        descent = torch.optim.SGD([w], lr=0.5, weight_decay=5e-4)
        for _ in range(STEPS):
            descent.zero_grad()
            own.loss(w).sum().backward()
            descent.step()
        return w.detach()

    def one_by_one() -> torch.Tensor:
        return torch.cat([alone(run) for run in range(SEEDS)])

    torch.testing.assert_close(ours(), one_by_one(), rtol=1e-9, atol=1e-12)
    batched, single = seconds(ours), seconds(one_by_one)
    print("matrix completion, 100 steps, 8 seeds")
    print(f"  one program, gradient by hand            {1e3 * batched:8.1f} ms")
    print(f"  autograd and SGD, seed by seed           {1e3 * single:8.1f} ms   {single / batched:6.1f} x")


if __name__ == "__main__":
    sphere()
    completion()
