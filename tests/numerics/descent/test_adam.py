"""Adam side by side is torch's Adam, cell by cell, with any learning rates, stops and restarts."""

import io

import numpy as np
import pytest
import torch

from resodectl.numerics.descent import adam

CELLS = (2, 3)
LR = torch.tensor([[1e-3, 1e-2, 0.1], [0.3, 1.0, 3e-3]], dtype=torch.float64)
STEPS = 7
CONSTANTS = adam.Constants(0.8, 0.99, 1e-3)  # an epsilon that matters


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def tensors() -> list[torch.Tensor]:
    """A matrix a cell, a stack of five layers of vectors with the layers first, and a scalar a cell."""
    return [draw(*CELLS, 4, 4), draw(5, *CELLS, 4, seed=1), draw(*CELLS, seed=2)]


def slopes(values: list[torch.Tensor], step: int) -> list[torch.Tensor]:
    """Of a cubic, which is no function that Adam would make trivial, disturbed anew in each step."""
    return [value.square() * value + draw(*value.shape, seed=100 + step) for value in values]


def cell_of(values: list[torch.Tensor], i: int, j: int) -> list[torch.Tensor]:
    return [values[0][i, j], values[1][:, i, j], values[2][i, j]]


def step(values: list[torch.Tensor], moments: adam.Moments, n: int, active: torch.Tensor | None = None) -> None:
    adam.step(values, slopes(values, n), moments, LR, active, (0, 1, 0), CONSTANTS)


def by_torch(i: int, j: int, steps: list[int]) -> list[torch.Tensor]:
    """One cell alone, by torch.optim.Adam."""
    values = tensors()
    own = [value.clone().requires_grad_() for value in cell_of(values, i, j)]
    beta = (CONSTANTS.beta1, CONSTANTS.beta2)
    optimiser = torch.optim.Adam(own, lr=LR[i, j].item(), betas=beta, eps=CONSTANTS.epsilon)
    for n in steps:
        noise = cell_of([draw(*value.shape, seed=100 + n) for value in values], i, j)
        for leaf, disturbed in zip(own, noise, strict=True):
            leaf.grad = leaf.detach() ** 3 + disturbed
        optimiser.step()
    return own


def test_every_cell_is_torch_adam_with_the_learning_rate_of_the_cell() -> None:
    values = tensors()
    moments = adam.at_rest(values, CELLS)
    for n in range(STEPS):
        step(values, moments, n)
    for i, j in np.ndindex(*CELLS):
        for mine, theirs in zip(cell_of(values, i, j), by_torch(i, j, list(range(STEPS))), strict=True):
            torch.testing.assert_close(mine, theirs.detach(), rtol=1e-12, atol=1e-14)


def test_a_frozen_cell_knows_nothing_of_the_steps_it_missed_and_no_other_cell_of_its_rest() -> None:
    values = tensors()
    moments = adam.at_rest(values, CELLS)
    active = torch.ones(CELLS, dtype=torch.bool)
    active[1, 2] = False
    for n in range(STEPS):
        step(values, moments, n, active if n in (2, 3) else None)
    for i, j in np.ndindex(*CELLS):
        expected = by_torch(i, j, [n for n in range(STEPS) if (i, j) != (1, 2) or n not in (2, 3)])
        for mine, theirs in zip(cell_of(values, i, j), expected, strict=True):
            torch.testing.assert_close(mine, theirs.detach(), rtol=1e-12, atol=1e-14)
    assert moments.steps.tolist() == [[7, 7, 7], [7, 7, 5]]


@pytest.mark.parametrize("wild", [torch.nan, torch.inf])
def test_wild_gradients_of_a_frozen_cell_touch_no_bit_of_it(wild: float) -> None:
    values = tensors()
    before = [value.clone() for value in values]
    moments = adam.at_rest(values, CELLS)
    active = torch.ones(CELLS, dtype=torch.bool)
    active[0, 1] = False
    adam.step(values, [torch.full_like(v, wild) for v in values], moments, LR, active, (0, 1, 0))
    for mine, old in zip(cell_of(values, 0, 1), cell_of(before, 0, 1), strict=True):
        assert torch.equal(mine, old)
    assert not cell_of(values, 0, 0)[0].isfinite().any()


def test_a_training_cut_in_two_by_a_checkpoint_has_the_same_bits() -> None:
    whole, parts = tensors(), tensors()
    moments = adam.at_rest(whole, CELLS)
    for n in range(STEPS):
        step(whole, moments, n)
    moments = adam.at_rest(parts, CELLS)
    for n in range(3):
        step(parts, moments, n)
    file = io.BytesIO()
    torch.save(moments.kept(), file)
    file.seek(0)
    moments = adam.restored(torch.load(file, weights_only=True), "cpu")
    for n in range(3, STEPS):
        step(parts, moments, n)
    assert all(torch.equal(one, other) for one, other in zip(whole, parts, strict=True))


def test_single_precision_and_one_rate_for_all_are_torch_adam_too() -> None:
    values = [value.float() for value in tensors()]
    theirs = [value.clone().requires_grad_() for value in values]
    optimiser = torch.optim.Adam(theirs, lr=0.01)
    moments = adam.at_rest(values, CELLS)
    for n in range(STEPS):
        for leaf, slope in zip(theirs, slopes([t.detach() for t in theirs], n), strict=True):
            leaf.grad = slope.float()
        adam.step(values, [s.float() for s in slopes(values, n)], moments, 0.01, leading=(0, 1, 0))
        optimiser.step()
    for mine, other in zip(values, theirs, strict=True):
        torch.testing.assert_close(mine, other.detach(), rtol=2e-5, atol=1e-6)
