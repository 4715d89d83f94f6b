"""Activations: derivatives against autograd and differences, Lipschitz constants against a grid."""

import math

import pytest
import torch

from resodectl.numerics.networks.activations import ACTIVATIONS, LEAK, in_place

SMOOTH = ["tanh", "gelu", "exp", "linear"]


def grid(requires_grad: bool = False) -> torch.Tensor:
    """Numbers on both sides of zero, zero not among them."""
    return torch.linspace(-4, 4, 4000, dtype=torch.float64, requires_grad=requires_grad)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivatives_are_those_of_autograd(name: str) -> None:
    activation, z = ACTIVATIONS[name], grid(requires_grad=True)
    with torch.no_grad():
        value, slope, second = activation.derivatives(z)
    exact = activation.value(z)
    torch.testing.assert_close(value, exact.detach(), rtol=1e-14, atol=1e-16)
    (exact_slope,) = torch.autograd.grad(exact.sum(), z, create_graph=True)
    torch.testing.assert_close(slope.to(z.dtype), exact_slope.detach(), rtol=1e-12, atol=1e-14)
    exact_second = torch.zeros_like(z)
    if exact_slope.requires_grad:
        (found,) = torch.autograd.grad(exact_slope.sum(), z, allow_unused=True)
        exact_second = exact_second if found is None else found
    torch.testing.assert_close(second(), exact_second, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivatives_are_limits_of_differences(name: str) -> None:
    activation, z, step = ACTIVATIONS[name], grid(), 1e-4
    below, at, above = (activation.value(z + shift) for shift in (-step, 0, step))
    _, slope, second = activation.derivatives(z)
    torch.testing.assert_close((above - below) / (2 * step), slope.to(z.dtype), rtol=1e-7, atol=1e-8)
    torch.testing.assert_close((above - 2 * at + below) / step**2, second(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", SMOOTH)
def test_the_value_of_the_derivatives_is_differentiable_too(name: str) -> None:
    z = grid(requires_grad=True)
    value, slope, _ = ACTIVATIONS[name].derivatives(z)
    (exact,) = torch.autograd.grad(value.sum(), z, retain_graph=True)
    torch.testing.assert_close(slope.detach(), exact, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_lipschitz_constant_is_the_largest_slope(name: str) -> None:
    activation = ACTIVATIONS[name]
    far = torch.cat([grid(), torch.full((1,), 30.0, dtype=torch.float64)])  # softplus is steepest at infinity
    largest = activation.derivatives(far).slope.double().abs().max().item()
    if name == "exp":
        assert activation.lipschitz == math.inf
    else:
        assert activation.lipschitz * (1 - 2e-4) <= largest <= activation.lipschitz


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_zero_stays_zero(name: str) -> None:
    assert ACTIVATIONS[name].value(torch.zeros(1)).item() == 0


@pytest.mark.parametrize(("name", "leak"), [("tanh", 0.0), ("relu", 0.0), ("leaky_relu", LEAK), ("linear", 1.0)])
def test_in_place_values_give_the_slopes(name: str, leak: float) -> None:
    value, slope, _ = ACTIVATIONS[name].derivatives(grid())
    written, found = grid(), torch.empty_like(grid())
    activation = in_place("tanh" if name == "tanh" else "relu", leak)
    assert activation.value(written) is written
    torch.testing.assert_close(written, value, rtol=1e-15, atol=0)
    assert activation.slope(written, found) is found
    torch.testing.assert_close(found, slope.double(), rtol=1e-15, atol=1e-15)


def test_a_slope_at_a_kink_is_that_of_the_left() -> None:
    zero = torch.zeros(1, dtype=torch.float64)
    assert ACTIVATIONS["relu"].derivatives(zero).slope.item() == 0
    assert ACTIVATIONS["leaky_relu"].derivatives(zero).slope.item() == 0.01


def test_softplus_has_the_slope_one_and_the_curvature_one_half_at_zero() -> None:
    """2 log((1 + e^z) / 2), so that the limits of deep networks, which ask for slope 1, hold for it as it is."""
    zero, z = torch.zeros(1, dtype=torch.float64), grid()
    torch.testing.assert_close(
        ACTIVATIONS["softplus"].value(z), 2 * torch.log((1 + z.exp()) / 2), rtol=1e-13, atol=1e-14
    )
    at_zero = ACTIVATIONS["softplus"].derivatives(zero)
    assert (at_zero.slope.item(), at_zero.second().item()) == (1.0, 0.5)
