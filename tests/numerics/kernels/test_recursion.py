"""The closed kernels are the limits of wide networks, and the known formulas at one hidden layer."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import integrate

from resodectl.numerics.kernels.recursion import KernelActivation, dual_of, wide_kernels
from resodectl.numerics.laws.arc_cosine import relu_kernel, step_kernel
from resodectl.numerics.networks.activations import ACTIVATIONS

EVERY: tuple[KernelActivation, ...] = ("relu", "leaky_relu", "linear", "erf", "tanh", "gelu", "softplus")


def points(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def value(activation: KernelActivation, z: torch.Tensor) -> torch.Tensor:
    return torch.erf(z) if activation == "erf" else ACTIVATIONS[activation].value(z)


def test_one_hidden_relu_layer_has_the_arc_cosine_kernels() -> None:
    x, y = points(5, 3), points(4, 3, seed=1)
    norms = (x.norm(dim=1)[:, None] * y.norm(dim=1)).numpy()
    rho = (x @ y.T).numpy() / norms
    of = wide_kernels(x, y, 1, "relu")
    np.testing.assert_allclose(of.conjugate, norms * relu_kernel(rho), rtol=1e-12)
    angle = np.arccos(rho)
    ends = np.sin(angle) + 2 * (math.pi - angle) * np.cos(angle)
    np.testing.assert_allclose(of.tangent, norms * ends / (2 * math.pi), rtol=1e-12)
    np.testing.assert_allclose(of.tangent, of.conjugate.numpy() + (x @ y.T).numpy() * step_kernel(rho), rtol=1e-12)


@pytest.mark.parametrize("activation", EVERY)
def test_means_are_integrals_over_two_normal_variables(activation: KernelActivation) -> None:
    first, second, rho = 0.7, 1.2, -0.4
    cross = rho * math.sqrt(first * second)
    means = dual_of(activation)(*(torch.tensor([v], dtype=torch.float64) for v in (cross, first, second)))

    def slope(z: torch.Tensor) -> torch.Tensor:
        with torch.enable_grad():
            at = z.detach().requires_grad_()
            return torch.autograd.grad(value(activation, at).sum(), at)[0]

    # an even number of equal cells, so that no node of the midpoint rule is at a kink of u; v is exact to its order
    grid = torch.from_numpy((np.arange(2000) + 0.5) / 2000 * 20 - 10)
    weight = torch.exp(-(grid**2) / 2) / math.sqrt(2 * math.pi) * (20 / 2000)
    u = math.sqrt(first) * grid
    v = math.sqrt(second) * (rho * grid[:, None] + math.sqrt(1 - rho**2) * grid)
    for mean, function in ((means.values, lambda z: value(activation, z)), (means.slopes, slope)):
        direct = (weight * function(u)) @ function(v) @ weight
        assert mean.item() == pytest.approx(direct.item(), abs=1e-5 if "relu" in activation else 1e-10)


@pytest.mark.parametrize("activation", ["tanh", "softplus", "gelu"])
def test_series_hold_on_the_diagonal_at_unit_variance(activation: KernelActivation) -> None:
    one = torch.ones(1, dtype=torch.float64)

    def integrand(z: float) -> float:
        return value(activation, torch.tensor(z, dtype=torch.float64)).item() ** 2 * math.exp(-z * z / 2)

    square = integrate.quad(integrand, -12, 12, epsabs=1e-13)[0] / math.sqrt(2 * math.pi)
    assert dual_of(activation)(one, one, one).values.item() == pytest.approx(square, rel=1e-11)


@pytest.mark.parametrize("activation", ["relu", "erf", "tanh"])
def test_finite_wide_networks_approach_both_kernels_at_depth_two(activation: KernelActivation) -> None:
    width, nets, weight_variance, bias_variance = 800, 12, 1.5, 0.3
    x = points(3, 4) / 2
    of = wide_kernels(x, x, 2, activation, weight_variance, bias_variance)
    tangents, products = [], []
    for net in range(nets):
        sizes = (4, width, width, 1)
        pairs = list(itertools.pairwise(sizes))
        drawn = [points(b, a + 1, seed=100 * net + layer).requires_grad_() for layer, (a, b) in enumerate(pairs)]
        at = x
        for layer, weights in enumerate(drawn):
            scale = math.sqrt(weight_variance / (1 if layer == 0 else width))
            z = scale * at @ weights[:, :-1].T + math.sqrt(bias_variance) * weights[:, -1]
            at = value(activation, z)
            if layer == 2:
                break
            if layer == 1:
                hidden = at
        rows = [torch.cat([g.flatten() for g in torch.autograd.grad(o, drawn, retain_graph=True)]) for o in z[:, 0]]
        gradients = torch.stack(rows)
        tangents.append(gradients @ gradients.T)
        products.append((weight_variance * hidden @ hidden.T / width + bias_variance).detach())
    for measured, exact in ((tangents, of.tangent), (products, of.conjugate)):
        stacked = torch.stack(measured)
        error = stacked.std(0) / math.sqrt(nets)
        assert ((stacked.mean(0) - exact).abs() < 5 * error + 0.01 * exact.abs().max()).all()
        assert (error < 0.05 * exact.abs().max()).all()


def test_leading_axes_are_batched_and_depth_zero_is_a_linear_model() -> None:
    x, y = points(2, 5, 3), points(2, 4, 3, seed=1)
    both = wide_kernels(x, y, 3, "erf", 2.0, 0.1)
    one = wide_kernels(x[1], y[1], 3, "erf", 2.0, 0.1)
    torch.testing.assert_close(both.tangent[1], one.tangent)
    linear = wide_kernels(x, y, 0, "relu", 2.0, 0.1)
    torch.testing.assert_close(linear.tangent, 2 * x @ y.mT + 0.1)
    torch.testing.assert_close(linear.conjugate, linear.tangent)


def test_a_deep_linear_network_has_a_tangent_kernel_of_depth_plus_one_equal_parts() -> None:
    x = points(4, 3)
    torch.testing.assert_close(wide_kernels(x, x, 4, "linear").tangent, 5 * x @ x.T)


def test_an_input_of_norm_zero_has_finite_kernels() -> None:
    x = torch.cat([torch.zeros(1, 3, dtype=torch.float64), points(2, 3)])
    for activation in EVERY:
        for of in wide_kernels(x, x, 2, activation):
            assert of.isfinite().all()


@pytest.mark.parametrize("wrong", [{"depth": -1}, {"weight_variance": -1.0}, {"bias_variance": -1.0}])
def test_negative_sizes_are_refused(wrong: dict[str, float]) -> None:
    x = points(2, 3)
    with pytest.raises(ValueError, match="cannot be negative"):
        wide_kernels(x, x, **{"depth": 1, "activation": "relu", **wrong})  # type: ignore[arg-type]
