"""Conditioners against their explicit sums, steps against torch.optim's, inside and outside the root."""

import numpy as np
import pytest
import torch

from resodectl.numerics.descent.adaptive import (
    Moments,
    Name,
    Placement,
    at_rest,
    conditioner,
    restored,
    rule,
    side_by_side,
    step,
)

NAMES: tuple[Name, ...] = ("gd", "momentum", "adagrad", "scalar-adagrad", "rmsprop", "adam", "adam-momentum")
EPSILON, BETA, STEPS = 1e-2, 0.9, 7  # an epsilon that matters


def gradients(size: int = 3) -> list[torch.Tensor]:
    return list(torch.from_numpy(np.random.default_rng(0).standard_normal((STEPS, size, 1))))


def after(name: Name, *, official: bool = False, placement: Placement = "inside") -> tuple[torch.Tensor, torch.Tensor]:
    """The weights after all steps from 0 with the rate 1, and the last conditioner, `(size,)` each."""
    of, weights = rule(name, EPSILON, BETA, official=official), torch.zeros(3, 1, dtype=torch.float64)
    moments = at_rest(weights)
    for gradient in gradients():
        change, moments = step(of, gradient, moments, placement)
        weights = weights - change
    return weights[:, 0], conditioner(of, moments, placement).expand(3, 1)[:, 0]


@pytest.mark.parametrize(
    ("name", "official", "decay", "bias"),
    [
        ("rmsprop", False, 0.9, 0.0),
        ("rmsprop", True, 0.1, 0.0),
        ("adam", False, 0.9, 0.9),
        ("adam", True, 0.1, 0.9),
        ("adam-momentum", False, 0.9, 0.9),
    ],
)
def test_the_conditioner_of_a_running_mean_is_its_explicit_sum(
    name: Name, official: bool, decay: float, bias: float
) -> None:
    squares = sum((1 - decay) * decay ** (STEPS - 1 - s) * g.square() for s, g in enumerate(gradients()))
    expected = (EPSILON + squares / (1 - bias**STEPS)) ** -0.5
    torch.testing.assert_close(after(name, official=official)[1], expected[:, 0])


def test_adagrad_sums_all_squares_and_its_scalar_form_takes_their_mean() -> None:
    squares = sum(g.square() for g in gradients())[:, 0]
    torch.testing.assert_close(after("adagrad")[1], (EPSILON + squares) ** -0.5)
    torch.testing.assert_close(after("scalar-adagrad")[1], ((EPSILON + squares.mean()) ** -0.5).expand(3))


@pytest.mark.parametrize("placement", ["inside", "outside"])
def test_descent_and_momentum_have_no_conditioner(placement: Placement) -> None:
    torch.testing.assert_close(after("gd", placement=placement)[0], -sum(gradients())[:, 0])
    assert (after("momentum", placement=placement)[1] == 1).all()


@pytest.mark.parametrize("name", ["gd", "momentum", "adagrad", "rmsprop", "adam", "adam-momentum"])
def test_outside_the_root_steps_are_torch_s(name: Name) -> None:
    value = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimiser = {
        "gd": lambda: torch.optim.SGD([value], lr=1.0),
        "momentum": lambda: torch.optim.SGD([value], lr=1.0, momentum=0.9),
        "adagrad": lambda: torch.optim.Adagrad([value], lr=1.0, eps=EPSILON),
        "rmsprop": lambda: torch.optim.RMSprop([value], lr=1.0, alpha=BETA, eps=EPSILON),
        "adam": lambda: torch.optim.Adam([value], lr=1.0, betas=(0.0, BETA), eps=EPSILON),
        "adam-momentum": lambda: torch.optim.Adam([value], lr=1.0, betas=(0.9, BETA), eps=EPSILON),
    }[name]()
    for gradient in gradients():
        value.grad = gradient[:, 0].clone()
        optimiser.step()
    torch.testing.assert_close(after(name, placement="outside")[0], value.detach())


def test_inside_the_root_adagrad_is_torch_s_with_a_first_sum_of_epsilon() -> None:
    value = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adagrad([value], lr=1.0, eps=0.0, initial_accumulator_value=EPSILON)
    for gradient in gradients():
        value.grad = gradient[:, 0].clone()
        optimiser.step()
    torch.testing.assert_close(after("adagrad")[0], value.detach())


def test_runs_of_different_rules_step_side_by_side_as_alone() -> None:
    weights = torch.zeros(3, len(NAMES), dtype=torch.float64)
    of, moments = side_by_side([rule(name, EPSILON, BETA) for name in NAMES], weights), at_rest(weights)
    for gradient in gradients():
        change, moments = step(of, gradient.expand_as(weights), moments)
        weights = weights - change
        moments = restored(moments.kept(), "cpu")
    assert isinstance(moments, Moments)
    for place, name in enumerate(NAMES):
        torch.testing.assert_close(weights[:, place], after(name)[0])
