"""The closed form is what the flow and the descent do step by step."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import expm

from resodectl.numerics.kernels.descent import after_flow, after_steps, modes


def problem(rank: int, size: int = 6, others: int = 4, runs: int = 2) -> tuple[torch.Tensor, ...]:
    """Features of training and other inputs, targets and outputs at the start, of some runs."""
    draw = np.random.default_rng(rank).standard_normal
    return tuple(
        torch.from_numpy(draw(shape))
        for shape in ((runs, size, rank), (runs, others, rank), (runs, size), (runs, size), (runs, others))
    )


@pytest.mark.parametrize("rank", [3, 9])
def test_descent_of_the_weights_of_a_linear_model_step_by_step(rank: int) -> None:
    features, elsewhere, targets, start, start_elsewhere = problem(rank)
    kernel, cross = features @ features.mT, elsewhere @ features.mT
    lr = torch.tensor([0.05, 0.2], dtype=torch.float64)
    coefficients = after_steps(modes(kernel, targets, start), [1, 7, 200], lr)
    weights = torch.zeros(2, rank, 1, dtype=torch.float64)
    for k in range(1, 201):
        residual = start.unsqueeze(2) + features @ weights - targets.unsqueeze(2)
        weights = weights - lr[:, None, None] * features.mT @ residual / 6
        if k in (1, 7, 200):
            at = (1, 7, 200).index(k)
            torch.testing.assert_close((kernel @ coefficients)[..., at], (features @ weights)[..., 0])
            wanted = start_elsewhere + (elsewhere @ weights)[..., 0]
            torch.testing.assert_close(start_elsewhere + (cross @ coefficients)[..., at], wanted)


@pytest.mark.parametrize("rank", [3, 9])
def test_the_flow_is_the_matrix_exponential(rank: int) -> None:
    features, elsewhere, targets, start, _ = problem(rank)
    kernel, cross = features @ features.mT, elsewhere @ features.mT
    times = [0.0, 0.3, 50.0]
    coefficients = after_flow(modes(kernel, targets, start), times)
    for run in range(2):
        for at, time in enumerate(times):
            decay = expm(-kernel[run].numpy() * time / 6)
            wanted = targets[run].numpy() + decay @ (start - targets)[run].numpy()
            got = start[run] + kernel[run] @ coefficients[run, :, at]
            np.testing.assert_allclose(got, wanted, atol=1e-11)
            pseudo = np.linalg.pinv(kernel[run].numpy(), rcond=1e-12, hermitian=True)
            there = cross[run].numpy() @ pseudo @ (np.eye(6) - decay) @ (targets - start)[run].numpy()
            np.testing.assert_allclose(cross[run] @ coefficients[run, :, at], there, atol=1e-10)


def test_descent_with_a_small_lr_is_the_flow() -> None:
    features, _, targets, _, _ = problem(9)
    of = modes(features @ features.mT, targets)
    steps, flow = after_steps(of, [10**7], 1e-6), after_flow(of, [10.0])
    torch.testing.assert_close(steps, flow, rtol=1e-4, atol=1e-5)


def test_a_mode_beyond_two_over_lr_diverges_and_one_below_oscillates() -> None:
    of = modes(torch.diag(torch.tensor([1.5, 2.5], dtype=torch.float64)), torch.ones(2, dtype=torch.float64))
    (slow,), (fast,) = (after_steps(of, [3], 2.0)[mode] * of.values[mode] for mode in (0, 1))
    assert slow.item() == pytest.approx(1 - (-0.5) ** 3)
    assert fast.item() == pytest.approx(1 - (-1.5) ** 3)


def test_a_kernel_of_zeros_moves_nothing_but_has_finite_coefficients() -> None:
    of = modes(torch.zeros(2, 2, dtype=torch.float64), torch.ones(2, dtype=torch.float64))
    torch.testing.assert_close(after_flow(of, [3.0])[:, 0], torch.full((2,), 1.5, dtype=torch.float64))
    torch.testing.assert_close(after_steps(of, [3], 0.5)[:, 0], torch.full((2,), 0.75, dtype=torch.float64))


def test_slow_modes_keep_their_digits() -> None:
    of = modes(torch.full((1, 1), 1e-14, dtype=torch.float64), torch.ones(1, dtype=torch.float64))
    share = after_steps(of, [10], 0.1).item() * 1e-14
    assert math.isclose(share, 1e-14, rel_tol=1e-9)
