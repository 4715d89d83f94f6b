"""Euler and Heun networks and their inverses against closed forms (sander2022, sections 3 and 6 of its derivation)."""

import math

import pytest
import torch

from resodectl.numerics.ode.adjoint import integrate, reconstruct, reconstruction, trajectory
from resodectl.numerics.ode.schemes import EULER, HEUN, SCHEMES, advance, retreat

X0 = torch.tensor(1.7, dtype=torch.float64)


def linear(x, theta):
    return theta[0] * x


def matrix(x, theta):
    return x @ theta[0].mT


def curved(x, theta):
    return torch.tanh(x @ theta[0].mT + theta[1])


def there_and_back(scheme, residual, x, stacks, depth=None):
    step = 1 / (depth or len(stacks[0]))
    return reconstruct(scheme, residual, integrate(scheme, residual, x, stacks, step, depth=depth), stacks, step, depth)


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_a_scheme_is_found_by_its_name():
    assert SCHEMES == {"euler": EULER, "heun": HEUN}


@pytest.mark.parametrize("depth", [1, 2, 7, 64])
@pytest.mark.parametrize("a", [-1.3, 0.4, 2.0])
def test_euler_reconstruction_of_a_tied_scalar_network(a, depth):
    found = there_and_back(EULER, linear, X0, (torch.full((depth,), a, dtype=torch.float64),))
    torch.testing.assert_close(found, X0 * (1 - a**2 / depth**2) ** depth, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("depth", [2, 3, 7, 64])
@pytest.mark.parametrize("a", [-1.3, 0.4, 2.0])
def test_heun_reconstruction_of_a_tied_scalar_network_of_one_step_less_than_layers(a, depth):
    found = there_and_back(HEUN, linear, X0, (torch.full((depth,), a, dtype=torch.float64),))
    expected = X0 * (1 + a**4 / (4 * depth**4)) ** (depth - 1)
    torch.testing.assert_close(found, expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("depth", [2, 3, 8, 50])
def test_euler_reconstruction_of_an_untied_scalar_network_uses_the_same_layer_as_the_step(depth):
    a = normal(depth, seed=depth)
    expected = X0 * torch.prod(1 - a**2 / depth**2)
    torch.testing.assert_close(there_and_back(EULER, linear, X0, (a,)), expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("depth", [2, 3, 8, 50])
def test_heun_reconstruction_of_an_untied_scalar_network_swaps_the_two_layers_of_the_step(depth):
    a = normal(depth, seed=depth)
    p, s = a[:-1] * a[1:] / (2 * depth**2), (a[:-1] + a[1:]) / (2 * depth)
    expected = X0 * torch.prod((1 + p) ** 2 - s**2)
    torch.testing.assert_close(there_and_back(HEUN, linear, X0, (a,)), expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("depth", [3, 20])
def test_reconstruction_of_a_tied_linear_network_is_a_power_of_a_matrix(depth):
    a, x = normal(4, 4), normal(5, 4, seed=1)
    identity = torch.eye(4, dtype=torch.float64)
    for scheme, one_step, steps in (
        (EULER, identity - a @ a / depth**2, depth),
        (HEUN, identity + torch.linalg.matrix_power(a, 4) / (4 * depth**4), depth - 1),
    ):
        expected = x @ torch.linalg.matrix_power(one_step, steps).mT
        found = there_and_back(scheme, matrix, x, (a[None],), depth)
        torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)


def test_a_network_of_ones_is_the_product_of_its_layers():
    a = normal(6)
    found = integrate(EULER, linear, X0, (a,), 1 / 6)
    torch.testing.assert_close(found, X0 * torch.prod(1 + a / 6), rtol=1e-14, atol=0)


def directional(f, x, direction):
    return torch.autograd.functional.jvp(f, x, direction)[1]


def test_the_defect_of_a_euler_step_is_minus_jacobian_times_residual_over_depth_squared():
    theta, x = (normal(4, 4), normal(4, seed=1)), normal(3, 4, seed=2)
    expected = -directional(lambda z: curved(z, theta), x, curved(x, theta))
    for depth in (100, 1000, 10000):
        end = advance(EULER, curved, x, [theta], 1 / depth)
        defect = (retreat(EULER, curved, end, [theta], 1 / depth) - x) * depth**2
        assert (defect - expected).norm() < 4 / depth * expected.norm()


def test_the_defect_of_a_heun_step_is_a_product_of_differences_of_the_two_layers():
    first, second = ((normal(4, 4, seed=i), normal(4, seed=i + 1)) for i in (0, 2))
    x = normal(3, 4, seed=4)
    difference = curved(x, first) - curved(x, second)
    expected = directional(lambda z: curved(z, second) - curved(z, first), x, difference) / 4
    for depth in (100, 1000, 10000):
        end = advance(HEUN, curved, x, [first, second], 1 / depth)
        defect = (retreat(HEUN, curved, end, [first, second], 1 / depth) - x) * depth**2
        assert (defect - expected).norm() < 8 / depth * expected.norm()


@pytest.mark.parametrize(("scheme", "order"), [(EULER, 2), (HEUN, 4)])
def test_the_defect_of_a_step_with_equal_layers_has_an_even_order(scheme, order):
    theta, x = (normal(4, 4), normal(4, seed=1)), normal(3, 4, seed=2)

    def defect(step):
        layers = [theta] * (scheme.span + 1)
        return (retreat(scheme, curved, advance(scheme, curved, x, layers, step), layers, step) - x).norm()

    assert math.log2(defect(0.01) / defect(0.005)) == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize("scheme", [EULER, HEUN])
def test_reconstruction_visits_the_states_of_the_trajectory_in_reverse(scheme):
    depth = 400
    layers = [(0.5 * normal(3, 3), normal(3, seed=1))] * depth
    x = normal(2, 3, seed=2)
    states = [x, *trajectory(scheme, curved, x, layers, 1 / depth)]
    found = list(reconstruction(scheme, curved, states[-1], layers, 1 / depth))
    assert len(found) == len(states) - 1 == depth - scheme.span
    for state, back in zip(states[-2::-1], found, strict=True):
        torch.testing.assert_close(back, state, rtol=0, atol=4e-3)


@pytest.mark.parametrize(("scheme", "too_few"), [(EULER, 0), (HEUN, 1)])
def test_a_network_without_a_step_is_refused(scheme, too_few):
    with pytest.raises(ValueError, match="needs at least"):
        integrate(scheme, linear, X0, (torch.ones(too_few, dtype=torch.float64),), 1.0)


def test_stacks_of_different_depths_are_refused():
    with pytest.raises(ValueError, match="common depth"):
        integrate(EULER, linear, X0, (torch.ones(3), torch.ones(4)), 1.0)
    with pytest.raises(ValueError, match="depth 5"):
        integrate(EULER, linear, X0, (torch.ones(3),), 1.0, depth=5)
